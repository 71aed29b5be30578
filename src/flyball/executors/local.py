"""``LocalExecutor``: one function in a child process on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import IO, Any

from flyball import errors
from flyball.errors import EnvironmentFailed, FlyballError

STDERR_TAIL = 2_000
"""Bytes of a failed child's standard error that its error message quotes."""

EXIT_S = 5.0
"""Seconds a child has to end after its answer."""


class LocalExecutor:
    """Port ``Executor`` on this machine. Thread-safe; each call is a process of its own.

    Args:
        python: the interpreter; it must have Flyball installed.
        environment: variables added to this process's own.
    """

    def __init__(
        self, *, python: str = sys.executable, environment: Mapping[str, str] | None = None
    ) -> None:
        self._python = python
        self._environment = dict(environment or {})

    def call(self, function: str, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """The JSON result of ``"package.module:function"`` called with ``request``.

        Raises:
            FlyballError: of the kind that the function raised, with its message.
            EnvironmentFailed: the child crashed, was killed, answered nothing readable, or ran
                past ``timeout_s``; says which, with the end of its standard error.
        """
        message = json.dumps({"function": function, "request": dict(request)}).encode() + b"\n"
        with tempfile.TemporaryFile() as stderr:
            process, answers = self._started(function, stderr)
            sender = threading.Thread(target=_send, args=(process, message), daemon=True)
            try:
                # A thread, because a child that never reads a large request would block us.
                sender.start()
                answer = _answer(answers, time.monotonic() + timeout_s)
                code = _exit_code(process) if answer is not None else None
            finally:
                _end(process)
                if sender.ident is not None:  # a signal may come before it has begun
                    sender.join()
                answers.close()
            if answer is None:
                raise EnvironmentFailed(
                    f"{function} ran past {timeout_s:g} s and was stopped{_tail(stderr)}"
                )
            return _result(function, answer, code, stderr)

    def _started(
        self, function: str, stderr: IO[bytes]
    ) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        read_end, write_end = os.pipe()
        module = [self._python, "-m", "flyball.executors.child"]
        try:
            process = subprocess.Popen(
                [*module, str(write_end), str(os.getpid())],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=stderr,
                stderr=stderr,
                pass_fds=(write_end,),
                start_new_session=True,  # a group of its own: its own children end with it
                env={**os.environ, **self._environment},
            )
        except OSError as error:
            os.close(read_end)
            raise EnvironmentFailed(
                f"{self._python} cannot be started for {function}: {error.strerror}"
            ) from error
        finally:
            os.close(write_end)
        return process, os.fdopen(read_end, "rb", buffering=0)


def _send(process: subprocess.Popen[bytes], message: bytes) -> None:
    assert process.stdin is not None
    rest = memoryview(message)
    try:
        while rest:
            rest = rest[os.write(process.stdin.fileno(), rest) :]
    except OSError:
        return  # the child ended first; its exit code says how


def _answer(answers: IO[bytes], deadline: float) -> bytes | None:
    """All that the child wrote until it closed its end; None when the deadline passed first."""
    parts: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and selector.select(left):
            part = os.read(answers.fileno(), 1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return None


def _exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """How the child ended (negative: the signal); None for one that answered and hangs."""
    try:
        return process.wait(timeout=EXIT_S)
    except subprocess.TimeoutExpired:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child, if it is still there, and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _result(function: str, answer: bytes, code: int | None, stderr: IO[bytes]) -> Any:
    if not answer:
        raise EnvironmentFailed(f"{function} {_how(code)}{_tail(stderr)}")
    try:
        reply = json.loads(answer)
    except ValueError as error:
        raise EnvironmentFailed(
            f"{function} answered with something that is not JSON{_tail(stderr)}"
        ) from error
    if "error" in reply:
        kind = getattr(errors, reply["error"], None)
        if isinstance(kind, type) and issubclass(kind, FlyballError):
            raise kind(reply["detail"])
        raise FlyballError(reply["detail"])
    return reply["result"]


def _how(code: int | None) -> str:
    if code is None:
        return "closed its answer and did not end"
    if code == -signal.SIGKILL:
        return "was killed, perhaps because the machine ran out of memory"
    if code < 0:
        return f"crashed with signal {signal.Signals(-code).name}"
    if code > 0:
        return f"ended with exit code {code}"
    return "ended without an answer"


def _tail(stderr: IO[bytes]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - STDERR_TAIL))
    text = stderr.read().decode(errors="replace").strip()
    return f"; the end of its standard error: {text}" if text else ""
