"""A family of models that go wrong once they have real traffic: a plug-in, as a user's would be.

Each passes its smoke tests and answers well for a while, as the worst candidates do.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from flyball.recommend.ease import Ease, EaseConfig
from flyball.recommend.histories import History


class Trouble(StrEnum):
    """What goes wrong."""

    NONE = "none"
    RAISES = "raises"
    NAN = "nan"
    SHAPE = "shape"
    HANGS = "hangs"
    LEAKS = "leaks"
    CRASHES = "crashes"
    SLOW = "slow"


class TroubledConfig(EaseConfig):
    """An EASE, and what becomes of it.

    Attributes:
        trouble: what goes wrong.
        after: scores that each process gets before that.
        number: of the version: equal bytes would be one artifact.
    """

    trouble: Trouble = Trouble.NONE
    after: int = Field(default=40, ge=0)
    number: int = 0


class Troubled(Ease):
    """A fitted EASE that goes wrong."""

    family: ClassVar[str] = "troubled"
    Config: ClassVar[type[EaseConfig]] = TroubledConfig
    trouble = Trouble.NONE
    after = number = 0
    _scored = 0
    _kept: list[np.ndarray]

    @classmethod
    def fit(cls, data: Any, config: Any) -> Self:
        """As EASE, and remembers what is to go wrong."""
        made = super().fit(data, config)
        made.trouble, made.after, made.number = config.trouble, config.after, config.number
        return made

    def save(self, directory: Path) -> None:
        """As EASE, and ``trouble.json``."""
        super().save(directory)
        about = {"trouble": self.trouble, "after": self.after, "number": self.number}
        (directory / "trouble.json").write_text(json.dumps(about))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """What ``save`` wrote."""
        made = super().load(directory)
        about = json.loads((directory / "trouble.json").read_text())
        made.trouble, made.after = Trouble(about["trouble"]), about["after"]
        made._kept = []
        return made

    def score(self, history: History) -> np.ndarray:
        """Right at first."""
        scores = super().score(history)
        self._scored += 1
        return scores if self._scored <= self.after else self._gone_wrong(scores)

    def _gone_wrong(self, scores: np.ndarray) -> np.ndarray:
        match self.trouble:
            case Trouble.RAISES:
                raise ValueError("this model has lost its way")
            case Trouble.NAN:
                return np.full_like(scores, np.nan)
            case Trouble.SHAPE:
                return np.zeros(len(scores) + 7, dtype=scores.dtype)
            case Trouble.HANGS:
                threading.Event().wait()
            case Trouble.SLOW:
                threading.Event().wait(0.15)
            case Trouble.LEAKS:
                self._kept.append(np.ones(1024 * 1024))  # 8 MB, written to
            case Trouble.CRASHES:
                os.kill(os.getpid(), signal.SIGSEGV)
        return scores
