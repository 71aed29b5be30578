"""``Supervisor``: keeps a set of server processes alive until it is told to stop."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from flyball.executors.lifeline import tied

_STOP = object()
_BEGUN = object()
_ABORT_S = 5.0
"""Seconds that a hanging process has to show where it hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process to keep alive.

    Attributes:
        name: how log lines call it.
        argv: program and arguments.
        env: its whole environment; None for this process's own.
        pass_fds: file descriptors it inherits under the same numbers.
        hangs_after_s: if above 0, it takes ``--heartbeat FD`` and writes to that pipe at least this
            often, once it has begun to; else it is ended with SIGABRT, and started again.
        again_at_once: exit codes with which it asks to be started again without a wait.
        waits_s: it leaves the processor to the others until all that write heartbeats have begun
            to, but no longer than this.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    pass_fds: Sequence[int] = ()
    hangs_after_s: float = 0.0
    again_at_once: Collection[int] = ()
    waits_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before starting a crashed child again.

    Attributes:
        first_s, most_s: the first wait, which doubles with each crash in a row, and the longest.
        healthy_s: a child that lived this long starts again at the first wait.
    """

    first_s: float = 0.5
    most_s: float = 30.0
    healthy_s: float = 60.0

    def wait_s(self, crashes: int, lived_s: float) -> tuple[float, int]:
        """The next wait and the crashes in a row, after one more crash."""
        crashes = 1 if lived_s >= self.healthy_s else crashes + 1
        doublings = min(crashes - 1, 64)  # more would overflow, long after the longest wait
        return min(self.first_s * 2.0**doublings, self.most_s), crashes


@dataclass(slots=True)
class _Kept:
    """A child and what is known of its current process."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    crashes: int = 0
    due: float | None = None
    begun: bool = False


class Supervisor:
    """Starts children, restarts those that end, and stops them all.

    Children are sessions of their own (so that Ctrl-C reaches only the supervisor) and die with
    this process however it ends: with the *thread* that calls ``run``, to be exact.

    Args:
        children: what to keep alive; names are unique.
        grace_s: seconds they have to drain after SIGTERM, before SIGKILL.
        backoff: the waits between restarts.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        grace_s: float = 15.0,
        backoff: Backoff | None = None,
    ) -> None:
        self._kept = {child.name: _Kept(child) for child in children}
        self._grace_s = grace_s
        self._backoff = backoff or Backoff()
        self._news: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._log = structlog.get_logger("flyball.supervisor")

    def pids(self) -> dict[str, int | None]:
        """The process id of each child; None while it waits to be started again."""
        return {
            name: kept.process.pid if kept.process is not None else None
            for name, kept in self._kept.items()
        }

    def run(self, stop: threading.Event) -> None:
        """Keep the children alive until ``stop`` is set; returns when all have ended."""
        threading.Thread(target=self._watch, args=(stop,), daemon=True).start()
        try:
            now = time.monotonic()
            for kept in self._kept.values():
                kept.due = now + kept.child.waits_s
            self._start_due()
            while (news := self._next()) is not _STOP:
                if isinstance(news, _Kept):
                    self._ended(news)
                elif news is _BEGUN:
                    self._start_waiting()
                self._start_due()
        finally:
            self._stop_all()

    def _watch(self, stop: threading.Event) -> None:
        stop.wait()
        self._news.put(_STOP)

    def _next(self) -> object:
        """What happened next: a child that ended, the stop, or None when a restart is due."""
        due = [kept.due for kept in self._kept.values() if kept.due is not None]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        try:
            return self._news.get(timeout=timeout)
        except queue.Empty:
            return None

    def _start_waiting(self) -> None:
        """What waits for the others is due, if all of these have begun."""
        kept = self._kept.values()
        if all(one.begun for one in kept if one.child.hangs_after_s):
            for one in kept:
                if one.child.waits_s and not one.started:
                    one.due = time.monotonic()

    def _start_due(self) -> None:
        now = time.monotonic()
        for kept in self._kept.values():
            if kept.due is not None and kept.due <= now:
                self._start(kept)

    def _start(self, kept: _Kept) -> None:
        kept.due = None
        kept.started = time.monotonic()
        child = kept.child
        argv, fds = [*child.argv], [*child.pass_fds]
        heard, beat = os.pipe() if child.hangs_after_s else (-1, -1)
        if child.hangs_after_s:
            argv += ["--heartbeat", str(beat)]
            fds.append(beat)
        process = kept.process = subprocess.Popen(
            tied(argv),
            stdin=subprocess.PIPE,  # held open: its end tells the child that we are gone
            pass_fds=fds,
            env=None if child.env is None else dict(child.env),
            start_new_session=True,
        )
        threading.Thread(target=self._wait, args=(kept, process), daemon=True).start()
        if child.hangs_after_s:
            os.close(beat)
            threading.Thread(target=self._listen, args=(kept, process, heard), daemon=True).start()

    def _wait(self, kept: _Kept, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._news.put(kept)

    def _listen(self, kept: _Kept, process: subprocess.Popen[bytes], heard: int) -> None:
        """End a process whose heart stops; it may take its time to the first beat."""
        child, ears = kept.child, select.poll()
        ears.register(heard, select.POLLIN)
        with open(heard, "rb", buffering=0) as beats:
            while beats.read(4096):
                if not kept.begun:
                    kept.begun = True
                    self._news.put(_BEGUN)
                if ears.poll(child.hangs_after_s * 1000):
                    continue
                self._log.error(
                    "a process hangs and is ended; its threads are shown above the next line",
                    process=child.name,
                    pid=process.pid,
                    silent_s=child.hangs_after_s,
                )
                _abort(process)
                return

    def _ended(self, kept: _Kept) -> None:
        process, kept.process = kept.process, None
        assert process is not None
        _forget(process)
        now = time.monotonic()
        lived = now - kept.started
        about = {"process": kept.child.name, "pid": process.pid, "after_s": round(lived, 1)}
        how = _how(process.returncode)
        if process.returncode in kept.child.again_at_once and lived >= self._backoff.first_s:
            kept.due, kept.crashes = now, 0
            self._log.warning("a process asked to be started again", **about, ended_with=how)
            return
        wait_s, kept.crashes = self._backoff.wait_s(kept.crashes, lived)
        kept.due = now + wait_s
        self._log.warning(
            "a process ended and is started again", **about, ended_with=how, next_try_in_s=wait_s
        )

    def _stop_all(self) -> None:
        running = {k.process.pid: k for k in self._kept.values() if k.process is not None}
        for kept in running.values():
            assert kept.process is not None
            kept.process.terminate()
        deadline = time.monotonic() + self._grace_s
        for kept in running.values():
            assert kept.process is not None
            try:
                kept.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._log.warning(
                    "a process did not stop in time and is killed",
                    process=kept.child.name,
                    pid=kept.process.pid,
                    grace_s=self._grace_s,
                )
            _forget(kept.process)
            kept.process = None


def _abort(process: subprocess.Popen[bytes]) -> None:
    """SIGABRT, at which Python shows where its threads are; then SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGABRT)
        try:
            process.wait(_ABORT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _forget(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what it started ends with it
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
