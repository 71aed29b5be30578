"""What a result was computed on: Python, the processor, the libraries that do its sums."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


@cache
def platform_facts() -> dict[str, str]:
    """What may change the last bits of a result beside code, packages and threads; by name.

    ``python``, ``system`` (kernel family and C library, whose ``exp`` and ``log`` differ by
    version), ``machine``, ``cpu``, and ``blas``: the libraries below numpy and scipy with the
    kernels that they chose for this processor.
    """
    import scipy.linalg  # noqa: F401 - so that its BLAS is loaded, whatever was fitted before
    from threadpoolctl import threadpool_info

    blas = {
        " ".join(
            str(pool[key]) for key in ("internal_api", "version", "architecture") if key in pool
        )
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": " ".join((platform.system(), *filter(None, platform.libc_ver()))),
        "machine": platform.machine(),
        "cpu": _processor(),
        "blas": ", ".join(sorted(blas)),
    }


def _processor(cpuinfo: Path = _CPUINFO) -> str:
    """The processor's model; empty where the system does not say."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
