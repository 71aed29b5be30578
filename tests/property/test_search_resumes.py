"""Wherever and however often a search is killed, it ends as an undisturbed one."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.domain.training import SearchBudget
from flyball.steps.search import SearchOutcome, search
from flyball.testing.toy import MODELS, Average, ToyApplication, ToyFold, a_frame

BUDGET = SearchBudget(trials=5, timeout_s=600.0)


class Killed(BaseException):
    """The process ended here."""


EARLIER = [{"family": "curve", "hyperparameters": {"degree": 3, "penalty": 0.5}}]


class Mortal(ToyApplication):
    """Dies after so many evaluations."""

    families = ("mean", "curve", "average")

    def __init__(self, lives: float) -> None:
        self.lives = lives

    def evaluate(self, model: Any, fold: ToyFold) -> Any:
        if self.lives == 0:
            raise Killed
        self.lives -= 1
        return super().evaluate(model, fold)


def searched(where: Path, *, lives: float, seed: int) -> SearchOutcome:
    """Of defaults, an earlier run's configuration, a draw and a combination."""
    application = Mortal(lives)
    outcome = search(
        application,
        {**MODELS, "average": Average},
        application.prepare({"points": a_frame()}, seed=seed),
        seed=seed,
        budget=BUDGET,
        study_url=f"sqlite:///{where / 'study.sqlite'}",
        study_name="toy",
        progress=lambda trial: None,
        earlier=EARLIER,
    )
    return replace(outcome, trials=tuple(replace(t, seconds=0.0) for t in outcome.trials))


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31), kills=st.lists(st.integers(0, 4), min_size=1, max_size=3))
def test_kills_leave_no_trace(seed: int, kills: list[int]) -> None:
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        for lives in kills:
            try:
                searched(Path(rough), lives=lives, seed=seed)
            except Killed:
                continue
        assert searched(Path(rough), lives=math.inf, seed=seed) == searched(
            Path(calm), lives=math.inf, seed=seed
        )
