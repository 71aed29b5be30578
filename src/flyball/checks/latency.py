"""Scoring latency, measured in a process of its own: a candidate that hangs harms nobody."""

from __future__ import annotations

import re
import resource
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from flyball.domain.validation import CheckResult, Verdict
from flyball.ports import Application, CheckContext

CHILD = "flyball.children:measure_scoring"
REQUESTS = 300
WARM_UP = 30
TIMEOUT_S = 120.0


class ScoringLatency:
    """The 95th percentile of the time to answer one typical request."""

    name: ClassVar[str] = "latency"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            EnvironmentFailed: the process crashed, was killed or took longer than ``TIMEOUT_S``.
        """
        directory = context.blobs.get(context.candidate.artifact, verify=True)
        request = {
            "application": context.application.name,
            "directory": str(directory),
            "requests": REQUESTS,
        }
        measured = context.executor.call(CHILD, request, timeout_s=TIMEOUT_S)
        limit = context.limits.p95_ms
        passed = measured["p95_ms"] <= limit
        return CheckResult(
            check=self.name,
            verdict=Verdict.PASS if passed else Verdict.FAIL,
            summary=(
                f"p95 {measured['p95_ms']:.2f} ms of {measured['requests']} requests "
                f"(at most {limit:g} ms); p50 {measured['p50_ms']:.2f} ms, "
                f"p99 {measured['p99_ms']:.2f} ms, peak memory "
                f"{measured['peak_rss_bytes'] / 2**20:.0f} MiB"
            ),
            recommendation=""
            if passed
            else "choose a smaller model or catalogue, or raise gates.p95_ms",
            details={**measured, "limit_ms": limit},
        )


def measure(application: Application, directory: Path, *, requests: int) -> dict[str, Any]:
    """Open an artifact, warm it up and time ``requests`` answers; called in the child.

    One BLAS thread, as in a serving worker.

    Returns:
        JSON: requests, open_s, p50_ms, p95_ms, p99_ms, max_ms, peak_rss_bytes.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        started = time.perf_counter()
        probe = application.scoring_probe(application.open(directory))
        opened = time.perf_counter() - started
        for _ in range(WARM_UP):
            probe()
        seconds = np.empty(requests)
        for place in range(requests):
            began = time.perf_counter()
            probe()
            seconds[place] = time.perf_counter() - began
    p50, p95, p99 = (float(q) for q in np.quantile(seconds, [0.5, 0.95, 0.99]) * 1e3)
    return {
        "requests": requests,
        "open_s": opened,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "max_ms": float(seconds.max() * 1e3),
        "peak_rss_bytes": peak_rss_bytes(),
    }


def peak_rss_bytes() -> int:
    """The most memory this process ever held.

    Linux's own record of this program; ``getrusage`` also counts what the parent held when it
    started us.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        status = ""
    if found := re.search(r"VmHWM:\s+(\d+) kB", status):
        return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
