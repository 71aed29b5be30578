"""The games application with models that go wrong: for rehearsing what a rollout does about them.

A version goes wrong in the way that a file ``spoilt.json`` in its artifact says, and only once it
serves: it passes every check before, as the worst of bad versions do. ``installed`` makes the
application known to processes that are started with its environment, by an entry point as any
plug-in has; the models of a home name it with ``application = "spoilt"``.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from flyball.games.answering import Question
from flyball.games.application import GamesApplication
from flyball.games.artifact import Artifact
from flyball.games.servable import Answer, GamesServable
from flyball.ports import Servable
from flyball.steps.manifest import read_manifest, write_manifest

FILE = "spoilt.json"
NAME = "spoilt"


@dataclass(frozen=True, kw_only=True)
class Spoil:
    """How a version goes wrong.

    Attributes:
        errors: share of its answers that raise instead.
        nan: share whose scores are not numbers.
        short: share that hold fewer games than they should, and say nothing of it.
        slow_s: seconds that each answer takes longer.
        hang: share that never come.
        leak_mb: what each answer keeps of memory.
        crash: share of answers that end the process.
        after: answers that go well first.
    """

    errors: float = 0.0
    nan: float = 0.0
    short: float = 0.0
    slow_s: float = 0.0
    hang: float = 0.0
    leak_mb: float = 0.0
    crash: float = 0.0
    after: int = 0


class SpoiltServable(GamesServable):
    """A servable that goes wrong once it is past its smoke test."""

    def __init__(self, artifact: Artifact, spoil: Spoil) -> None:
        super().__init__(artifact)
        self._spoil, self._smoking, self._answered = spoil, False, 0
        self._kept: list[np.ndarray[Any, Any]] = []
        self._random = random.Random(7)

    def smoke(self) -> int:
        """As every version's; it behaves meanwhile."""
        self._smoking = True
        try:
            return super().smoke()
        finally:
            self._smoking = False

    def answers(self, questions: Sequence[Question], *, popular: bool = False) -> list[Answer]:
        """What a good version answers, or not."""
        if self._smoking or popular:
            return super().answers(questions, popular=popular)
        for _ in questions:
            self._go_wrong()
        return [self._spoilt(answer) for answer in super().answers(questions)]

    def _go_wrong(self) -> None:
        spoil, self._answered = self._spoil, self._answered + 1
        if self._answered <= spoil.after:
            return
        if spoil.leak_mb:
            self._kept.append(np.ones(int(spoil.leak_mb * 2**17)))
        if spoil.slow_s:
            time.sleep(spoil.slow_s)  # what is rehearsed, and no wait for anything
        chance = self._random.random()
        if chance < spoil.crash:
            os._exit(139)
        if chance < spoil.hang:
            threading.Event().wait()
        if chance < spoil.errors:
            raise RuntimeError("this version was made to fail")

    def _spoilt(self, answer: Answer) -> Answer:
        chance = self._random.random()
        if chance < self._spoil.nan:
            answer.items = [replace(item, score=float("nan")) for item in answer.items]
        if chance < self._spoil.short:
            answer.items = answer.items[: len(answer.items) // 2]
        return answer


class SpoiltGames(GamesApplication):
    """The games application, where artifacts may be spoilt."""

    name = NAME

    def open(self, directory: Path) -> Servable:
        """As the games application; spoilt where the artifact says so."""
        file = directory / FILE
        if not file.exists():
            return super().open(directory)
        return SpoiltServable(Artifact.open(directory), Spoil(**json.loads(file.read_text())))


def installed(folder: Path) -> Mapping[str, str]:
    """Environment variables with which a process knows the application ``spoilt``.

    Args:
        folder: where the plug-in's metadata is written.
    """
    about = folder / "flyball_spoilt-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: flyball-spoilt\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        f"[flyball.applications]\n{NAME} = flyball.testing.spoilt:SpoiltGames\n"
    )
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))
    return {"PYTHONPATH": path}


def spoil(directory: Path, how: Spoil, to: Path) -> Path:
    """A copy of an artifact's directory at ``to``, with its files and that it goes wrong."""
    shutil.copytree(directory, to)
    for path in [to, *to.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (to / FILE).write_text(json.dumps(asdict(how)))
    write_manifest(to, read_manifest(to))
    return to
