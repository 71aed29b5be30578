"""Flyball's modules as real processes, forked from one that has already imported what they need.

Such a process is as real as one that was started from nothing: it has its own memory, environment,
session and exit code, and can be killed. It only spares the seconds of imports, which would be most
of a short command. What is measured or promised about a start itself starts from nothing elsewhere.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

_PRELOADED = (
    "dbos",
    "alembic.command",
    "mlflow.store.tracking.sqlalchemy_store",
    "flyball.storage.lineage",
    "flyball.storage.openlineage",
    "flyball.cli.app",
    "flyball.verbs",
    "flyball.work",
    "flyball.loop.engine",
    "flyball.loop.pipeline",
    "flyball.steps.ingest",
    "flyball.games.application",
    "sklearn.feature_extraction.text",
    "uvicorn",
    "fastapi",
)


class Forked:
    """A running process, with the part of ``subprocess.Popen`` that tests need.

    Args:
        module: as after ``python -m``.
        arguments: of the module.
        env: its whole environment.
        out, err: files for what it says.
        stdin: what it reads.
        cwd: where it works; default here.
    """

    def __init__(
        self,
        module: str,
        arguments: list[str],
        *,
        env: Mapping[str, str],
        out: str | Path,
        err: str | Path,
        stdin: str | Path = os.devnull,
        cwd: Path | None = None,
    ) -> None:
        files = (str(stdin), str(out), str(err))
        self._process = _context().Process(
            target=_become, args=(module, arguments, dict(env), files, str(cwd or Path.cwd()))
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended.

        Raises:
            TimeoutExpired: it has not within so many seconds.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def kill_group(self) -> None:
        """End it and what it started in its group, at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.kill()  # it may not have a group of its own yet


def flyball(
    *arguments: str | Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    cwd: Path | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """One command of the command line, from its start to its end.

    Raises:
        TimeoutExpired: it has not ended within so many seconds, and was killed.
    """
    with (
        tempfile.NamedTemporaryFile() as given,
        tempfile.NamedTemporaryFile() as out,
        tempfile.NamedTemporaryFile() as err,
    ):
        given.write(stdin)
        given.flush()
        words = [str(word) for word in arguments]
        process = Forked(
            "flyball.cli", words, env=env, out=out.name, err=err.name, stdin=given.name, cwd=cwd
        )
        try:
            code = process.wait(timeout)
        finally:
            process.kill_group()
        said = [file.read().decode(errors="replace") for file in (out, err)]
        return subprocess.CompletedProcess(["flyball", *words], code, *said)


@contextmanager
def server(
    module: str,
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[tuple[Forked, str]]:
    """A server and the address it says on its first line; killed on leaving.

    Args:
        env: its environment; default this process's.
        log: the file for its standard error.
    """
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        told = Path(err.name) if log is None else log
        told.touch()
        words = [str(word) for word in arguments]
        given = os.environ if env is None else env
        process = Forked(module, words, env=given, out=out.name, err=told)
        try:
            pause, line = threading.Event(), b""
            while not line.endswith(b"\n") and process.poll() is None:
                pause.wait(0.01)
                line += os.pread(out.fileno(), 65536, len(line))
            assert line, f"it ended with {process.wait()}: {told.read_text()}"
            yield process, json.loads(line)["url"]
        finally:
            process.kill()
            process.wait()


@cache
def _context() -> ForkServerContext:
    """The process that is forked from, started once by each process that runs tests."""
    context = get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("FLYBALL_")]:
            environment.delenv(name)
        environment.setenv("MLFLOW_DISABLE_TELEMETRY", "true")  # read on import, as Flyball does
        forkserver.ensure_running()
    return context


def _become(
    module: str,
    arguments: list[str],
    env: Mapping[str, str],
    files: tuple[str, str, str],
    cwd: str,
) -> None:
    """In the new process: be ``python -m MODULE ARGUMENTS``."""
    os.setsid()
    os.chdir(cwd)
    for number, name in enumerate(files):
        flags = os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY
        descriptor = os.open(name, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(env)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
