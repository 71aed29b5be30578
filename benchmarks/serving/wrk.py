"""wrk, the load generator of Debian's package ``wrk``: as many requests as a server can answer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.processes import Running

SCRIPT = Path(__file__).with_name("ask.lua")
CONNECTIONS = 32
TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One round.

    Attributes:
        rate: answers a second.
        p50, p99, most: milliseconds from request to answer.
        refused: answers that were not 2xx or 3xx; ``broken``: connections that failed.
        cpu_us: microseconds of the processor that the server spent on an answer.
        pss_mb: memory of its processes at the end.
    """

    rate: float
    p50: float
    p99: float
    most: float
    refused: int
    broken: int
    cpu_us: float
    pss_mb: float

    @property
    def clean(self) -> bool:
        """Whether every request was answered well; a round that is not counts for nothing."""
        return self.refused == self.broken == 0


def installed() -> bool:
    """Whether there is a wrk."""
    return shutil.which("wrk") is not None


def measured(
    running: Running,
    bodies: Path,
    headers: Path,
    *,
    seconds: float,
    connections: int = CONNECTIONS,
    threads: int = 2,
) -> Measured:
    """Ask for so long over so many connections that are kept alive, one request at a time each."""
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    command += [f"--timeout={TIMEOUT_S}s", "-s", str(SCRIPT), running.url]
    environment = {"BENCHMARK_BODIES": str(bodies), "BENCHMARK_HEADERS": str(headers)}
    spent = running.cpu_s()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **environment}
    )
    spent = running.cpu_s() - spent
    line = next(s for s in done.stdout.splitlines() if s.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    return Measured(
        rate=found["requests"] / found["seconds"],
        p50=found["p50"],
        p99=found["p99"],
        most=found["most"],
        refused=found["refused"],
        broken=found["broken"],
        cpu_us=1e6 * spent / max(1, found["requests"]),
        pss_mb=running.pss_mb(),
    )
