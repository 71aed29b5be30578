"""Servers as processes: started on one socket, watched from outside, ended."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

WORKERS = 2
PATH = "/v1/recommendations"
START_S = 120.0
GRACE_S = 20.0

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers.

    Attributes:
        url: of the recommendations.
        pids: of its processes; those that they start count with them.
    """

    url: str
    pids: tuple[int, ...]

    def processes(self) -> list[psutil.Process]:
        """All of them that live."""
        found: dict[int, psutil.Process] = {}
        for pid in self.pids:
            with suppress(psutil.NoSuchProcess):
                one = psutil.Process(pid)
                found |= {p.pid: p for p in (one, *one.children(recursive=True))}
        return list(found.values())

    def cpu_s(self) -> float:
        """Seconds of the processor that they have spent, user and system."""
        total = 0.0
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def pss_mb(self, kind: str = "Pss") -> float:
        """Their memory together, in MB (10^6 bytes); what n processes share counts 1/n in each.

        Args:
            kind: ``Pss``: all of it; ``Pss_Anon``: what is theirs; ``Pss_File``: what files hold.
        """
        total = 0
        for process in self.processes():
            with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                found = dict(line.split(":") for line in text.splitlines()[1:])
                total += int(found[kind].removesuffix("kB"))
        return total * 1024 / 1e6


@contextmanager
def on_one_port(module: str, data: Path) -> Iterator[Running]:
    """``WORKERS`` processes of ``python -m module``, each with a socket on the same port."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))  # bound, it keeps the port; it never listens
        port = reserved.getsockname()[1]
        argv = [sys.executable, "-m", module, "--port", str(port), "--data", str(data)]
        children = [
            subprocess.Popen(
                argv,
                stdout=subprocess.PIPE,
                env={**os.environ, **ONE_THREAD},
            )
            for _ in range(WORKERS)
        ]
        try:
            for child in children:
                _wait_for_line(child, module)
            url = f"http://127.0.0.1:{port}{PATH}"
            yield Running(url, tuple(child.pid for child in children))
        finally:
            for child in children:
                ended(child)


@contextmanager
def on_its_own(
    argv: Sequence[str],
    url: str,
    body: bytes,
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    log: Path | None = None,
) -> Iterator[Running]:
    """A server that makes its own socket and workers; given once it answers ``body``.

    Raises:
        RuntimeError: it did not come up; ends with the last of what it said.
    """
    with (log or Path(os.devnull)).open("wb") as said:
        child = subprocess.Popen(
            argv, stdout=said, stderr=said, env=dict(env), cwd=cwd, start_new_session=True
        )
        try:
            _wait_for_answer(child, url, body)
            yield Running(url, (child.pid,))
        except RuntimeError as error:
            tail = log.read_text(errors="replace")[-1500:] if log else ""
            raise RuntimeError(f"{error}: {tail}") from error
        finally:
            ended(child)


def ended(child: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(child.pid).children(recursive=True)
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, GRACE_S)
    if child.stdout is not None:
        child.stdout.close()


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_line(child: subprocess.Popen[bytes], what: str) -> None:
    assert child.stdout is not None
    readable, _, _ = select.select([child.stdout], [], [], START_S)
    if not readable or not child.stdout.readline():
        raise RuntimeError(f"{what} did not become ready")


def _wait_for_answer(child: subprocess.Popen[bytes], url: str, body: bytes) -> None:
    deadline = time.monotonic() + START_S
    found = "nothing"
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"it ended with {child.returncode}")
        try:
            answer = httpx.post(
                url, content=body, headers={"content-type": "application/json"}, timeout=20
            )
            found = f"{answer.status_code} {answer.text[:200]}"
            if answer.status_code == 200:
                return
        except httpx.TransportError as error:
            found = repr(error)
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
    raise RuntimeError(f"no answer within {START_S:g} s, but {found}")
