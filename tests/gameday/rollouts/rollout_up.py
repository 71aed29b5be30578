"""A real ``flyball up`` that knows the plug-in of the troubled models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
from rollout_shop import HERE, Shop, until

from flyball.domain.routing import WorkerStatus

NO_MORE: Mapping[str, str] = MappingProxyType({})


@dataclass
class Up:
    """A running ``flyball up``."""

    process: subprocess.Popen[str]
    api: str
    log: Path

    def parts(self, module: str) -> list[psutil.Process]:
        """Its processes of one kind: ``flyball.console`` or ``flyball.serving``."""
        with suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.process.pid).children(recursive=True)
            return [each for each in found if _runs(each, module)]
        return []

    def workers(self, known: list[WorkerStatus]) -> list[WorkerStatus]:
        """Those of these workers that are its own, and not of one before it."""
        return [worker for worker in known if worker.url == self.api]

    def kill_control(self) -> None:
        """``kill -9`` of the control process; another is started."""
        for each in self.parts("flyball.console"):
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def kill_worker(self) -> None:
        """``kill -9`` of one worker; another is started."""
        for each in self.parts("flyball.serving")[:1]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def _runs(process: psutil.Process, module: str) -> bool:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        words = process.cmdline()
        return "-m" in words[1:3] and module in words
    return False


def environment(plugins: Path) -> dict[str, str]:
    """Of a process that knows the plug-in."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("FLYBALL_")}
    env |= {"PYTHONPATH": os.pathsep.join([str(plugins), str(HERE)])}
    if env.pop("PYTHONDONTWRITEBYTECODE", ""):  # else each process compiles all it imports
        env["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "flyball-bytecode")
    return env


def command(shop: Shop) -> list[str]:
    """``flyball up`` on free ports."""
    argv = [sys.executable, "-m", "flyball.cli", "up", "--json", "--home", str(shop.home)]
    return [*argv, "--port", "0", "--console-port", "0", "--workers", "2"]


@contextmanager
def up(shop: Shop, plugins: Path, more: Mapping[str, str] = NO_MORE) -> Iterator[Up]:
    """``flyball up`` with two workers, once all of it answers; nothing of it is left behind.

    Args:
        more: of its environment.
    """
    log = shop.home.parent / "up.log"
    with log.open("w") as told, tempfile.NamedTemporaryFile() as out:
        process = subprocess.Popen(
            command(shop),
            env=environment(plugins) | dict(more),
            stdout=out,
            stderr=told,
            text=True,
            start_new_session=True,
        )
        try:
            about = until(lambda: _document(Path(out.name)), what=lambda: "flyball up")
            running = Up(process, about["api"], log)
            target = shop.verbs.platform.target
            shop.until(lambda: len(running.workers(target.workers())) == 2, "two workers")
            shop.until(lambda: shop.verbs.status().control, "a control process")
            yield running
        finally:
            _end(process)


def _document(path: Path) -> dict[str, Any] | None:
    with suppress(json.JSONDecodeError):
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    return None


def _end(process: subprocess.Popen[str]) -> None:
    left = []
    with suppress(psutil.NoSuchProcess):
        left = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    for each in left:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
