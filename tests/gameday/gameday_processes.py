"""Real ``flyball`` processes: started, watched from outside, killed, and waited for.

They are forked from one that has imported what they need (see ``warm_start``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from warm_start import Forked

TRIALS = 6
"""Enough to come to a model that no simple rival beats."""

PATIENCE_S = 420.0
"""The machine may be busy: what has not come after this long never will."""

NO_MORE: Mapping[str, str] = MappingProxyType({})
_MARK = "GAMEDAY_HOME"
_OURS = {"FLYBALL_MODELS__GAMES__SEARCH__TRIALS": str(TRIALS), "NO_COLOR": "1"}


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its standard output, which must be one JSON document."""
        return json.loads(self.out)

    def refused(self, code: int, *words: str) -> None:
        """Holds where it ended with this code, said all these words, and showed no traceback."""
        assert self.code == code, f"exit code {self.code}, not {code}: {self.err}{self.out}"
        assert "Traceback" not in self.err + self.out, self.err
        missing = [word for word in words if word.casefold() not in self.err.casefold()]
        assert not missing, f"{missing} not in: {self.err}"


@dataclass
class Command:
    """A running process of a home; its group is its own."""

    home: Path
    process: Forked
    _said: tuple[Any, Any]

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def ended(self, timeout: float = PATIENCE_S) -> Ended:
        """Wait for its end."""
        code = self.process.wait(timeout)
        out, err = (_content(file) for file in self._said)
        return Ended(code, out, err)

    def killed(self, *, whole_group: bool) -> bool:
        """``kill -9``: it, or its whole group. Holds where no process of the home is left then.

        Returns:
            whether that is what ended it (or it was done before).
        """
        if whole_group and self.running:
            self.process.kill_group()
        else:
            self.process.kill()
        code = self.process.wait()
        gone = until(lambda: not processes_of(self.home), 30.0)
        assert gone, f"outlived the kill: {processes_of(self.home)}"
        return code == -signal.SIGKILL

    def first_line(self) -> dict[str, Any]:
        """The JSON line by which a server says that it is ready."""
        assert until(lambda: not self.running or "\n" in _content(self._said[0])), "never ready"
        lines = _content(self._said[0]).splitlines()
        assert lines, self.ended().err
        found: dict[str, Any] = json.loads(lines[0])
        return found

    def close(self) -> None:
        """End it, whatever it does."""
        self.process.kill_group()
        self.process.wait()


@contextmanager
def started(
    *arguments: str | Path,
    home: Path,
    module: str = "flyball.cli",
    env: Mapping[str, str] = NO_MORE,
) -> Iterator[Command]:
    """``python -m MODULE ARGUMENTS --home HOME``, ended on leaving."""
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        process = Forked(
            module,
            [*map(str, arguments), "--home", str(home)],
            env=clean() | {_MARK: str(home)} | dict(env),
            out=out.name,
            err=err.name,
        )
        command = Command(home, process, (out, err))
        try:
            yield command
        finally:
            command.close()


def flyball(*arguments: str | Path, home: Path, env: Mapping[str, str] = NO_MORE) -> Ended:
    """One command, from its start to its end."""
    with started(*arguments, home=home, env=env) as command:
        return command.ended()


@contextmanager
def control(home: Path) -> Iterator[Command]:
    """The control process of a home, once it is ready; what ``flyball up`` keeps alive."""
    with started("--port", "0", home=home, module="flyball.console") as command:
        command.first_line()
        yield command


def until(holds: Callable[[], Any], timeout: float = PATIENCE_S, every: float = 0.003) -> bool:
    """Whether something came to hold; looks again and again, from outside."""
    pause, deadline = threading.Event(), time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            return False
        pause.wait(every)
    return True


def processes_of(home: Path) -> list[str]:
    """Every live process that commands of this home started, directly or not."""
    wanted = f"{_MARK}={home}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if words:  # a zombie has none
                    found.append(f"{folder.name} {words}")
    return found


KEY = "the key of all homes here: so that equal rows are equal batches"


def clean() -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("FLYBALL_")}
    return inherited | _OURS | {"FLYBALL_PRIVACY__KEY": KEY}


def _content(file: Any) -> str:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode(errors="replace")  # its offset is the child's
