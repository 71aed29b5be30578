"""Starts the generator and reads what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.open_loop.counts import Latencies


def stretches(
    url: str,
    bodies: Path,
    headers: Path,
    *,
    rate: float,
    seconds: float,
    every: float | None = None,
    connections: int = 64,
) -> Iterator[Latencies]:
    """The figures of each stretch, as it ends."""
    command = [sys.executable, "-m", "benchmarks.open_loop", url, "--bodies", str(bodies)]
    command += ["--headers", str(headers), "--rate", str(rate), "--seconds", str(seconds)]
    command += ["--connections", str(connections)]
    command += [] if every is None else ["--every", str(every)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                yield Latencies(**json.loads(line))
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise RuntimeError(f"the generator ended with {process.returncode}")


def whole(url: str, bodies: Path, headers: Path, *, rate: float, seconds: float) -> Latencies:
    """The figures of one stretch of load."""
    [found] = stretches(url, bodies, headers, rate=rate, seconds=seconds)
    return found
