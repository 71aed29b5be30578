"""``LocalTarget``: versions serve in processes of this machine, which follow the records."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import WorkerStatus, alive
from flyball.errors import DeploymentError
from flyball.ports import Clock, Records

STDERR_TAIL = 2_000
"""Bytes of a failed server's standard error that the error message quotes."""

GRACE_S = 15.0
"""Seconds a server has to drain before it is killed."""


class LocalTarget:
    """Port ``Target`` on this machine.

    Servers that it starts end with the thread that started them: leave a context in the thread
    that entered it.

    Args:
        home: the installation.
        records: where workers report.
        clock: tells who is still alive.
        environment: FLYBALL_* variables for new servers, in place of this process's own.
        python: the interpreter for new servers.
        command: what to start; default ``python -m flyball.serving``.
        deadline_s: how long a server may take to become ready.
    """

    def __init__(
        self,
        home: Path,
        records: Records,
        clock: Clock,
        *,
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
        command: Sequence[str] | None = None,
        deadline_s: float = 60.0,
    ) -> None:
        self._home, self._records, self._clock = home, records, clock
        self._command = list(command or (python, "-m", "flyball.serving"))
        self._deadline_s = deadline_s
        self._environment = dict(os.environ)
        if environment is not None:
            others = {k: v for k, v in os.environ.items() if not k.startswith("FLYBALL_")}
            self._environment = others | dict(environment)

    def workers(self) -> list[WorkerStatus]:
        """The serving processes that were heard of lately."""
        now = self._clock.now()
        return [status for status in self._records.find(WorkerStatus) if alive(status, now)]

    @contextmanager
    def candidate(self, version: ModelVersion) -> Iterator[str]:
        """A real, separate inference server that serves only this version; gives its URL.

        Raises:
            DeploymentError: it did not become ready; says why.
        """
        with self._server(f"a server for {version.id}", "--only", version.id) as url:
            yield url

    @contextmanager
    def at_least_one_worker(self) -> Iterator[None]:
        """While inside, some worker follows the routes: a temporary one if none is alive.

        Raises:
            DeploymentError: none is alive and the temporary one did not become ready.
        """
        if self.workers():
            yield
            return
        with self._server("a temporary worker"):
            yield

    @contextmanager
    def _server(self, what: str, *arguments: str) -> Iterator[str]:
        with tempfile.TemporaryFile() as stderr:
            process = self._started(what, arguments, stderr)
            try:
                yield _ready_url(process, what, stderr, self._deadline_s)
            finally:
                _end(process)

    def _started(
        self, what: str, arguments: Sequence[str], stderr: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        place = ["--home", str(self._home), "--port", "0", "--parent", str(os.getpid())]
        try:
            return subprocess.Popen(
                [*self._command, *place, *arguments],
                bufsize=0,
                stdin=subprocess.PIPE,  # held open: its end tells the server that we are gone
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for us; we end it when we are done
            )
        except OSError as error:
            raise DeploymentError(
                f"{what} cannot be started: {self._command[0]}: {error.strerror}"
            ) from error


def _ready_url(
    process: subprocess.Popen[bytes], what: str, stderr: IO[bytes], deadline_s: float
) -> str:
    line = _first_line(process, time.monotonic() + deadline_s)
    if line is None:
        raise DeploymentError(
            f"{what} was not ready within {deadline_s:g} s and was stopped{_tail(stderr)}"
        )
    if not line:
        code = process.wait()
        raise DeploymentError(f"{what} ended with exit code {code}{_tail(stderr)}")
    try:
        return str(json.loads(line)["url"])
    except (ValueError, KeyError, TypeError) as error:
        raise DeploymentError(
            f"{what} said {line[:200]!r} where its URL was expected{_tail(stderr)}"
        ) from error


def _first_line(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """The first line it prints; empty when it ends before, None when the deadline passes."""
    assert process.stdout is not None
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and selector.select(left):
            part = os.read(process.stdout.fileno(), 4096)
            line += part
            if not part:
                return b""
            if b"\n" in line:
                return line.partition(b"\n")[0]
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _tail(stderr: IO[bytes]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - STDERR_TAIL))
    text = stderr.read().decode(errors="replace").strip()
    return f": {text}" if text else ""
