"""A Parquet file read in a process of its own first, where its reader may die of what it holds.

Only needed where the sizes lie in the data itself, out of reach of ``parquet.check_pages``.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

MEMORY, MEMORY_RATIO = 4 << 30, 8
"""The child may address so many bytes, and so many times the size of the file more."""

PATIENCE_S, BYTES_PER_S = 60, 1 << 20
"""The child may take so long, and at least read so fast."""


def prove(path: Path, columns: Collection[str]) -> None:
    """Read some columns of a Parquet file in a child, and throw them away.

    What the reader itself says against the file is not told here: whoever reads it is told again.

    Raises:
        ValueError: the child did not survive it.
        OSError: no child could be started.
    """
    size = path.stat().st_size
    command = [sys.executable, "-m", __name__, str(path), *sorted(columns)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_S + size / BYTES_PER_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"reading it takes longer than {error.timeout:.0f} s") from None
    if done.returncode < 0:
        raise ValueError(f"reading it ended a process by {signal.Signals(-done.returncode).name}")
    if done.returncode:
        raise ValueError(f"reading it ended a process with code {done.returncode}")


def _limit_memory(size: int) -> None:
    limit, most = MEMORY + MEMORY_RATIO * size, resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _read(path: Path, columns: list[str]) -> None:
    import polars as pl

    try:
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(columns)
        for _ in rows.collect_batches(chunk_size=1 << 17, maintain_order=True):
            pass
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        return


if __name__ == "__main__":
    _limit_memory(Path(sys.argv[1]).stat().st_size)
    _read(Path(sys.argv[1]), sys.argv[2:])
