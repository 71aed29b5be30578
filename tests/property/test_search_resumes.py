"""Wherever and however often a search is killed, it ends as an undisturbed one."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.domain.training import SearchBudget, Trial
from flyball.steps.search import search, winner
from flyball.testing.toy import MODELS, ToyApplication, ToyFold, a_frame

BUDGET = SearchBudget(trials=5, timeout_s=600.0)


class Killed(BaseException):
    """The process ended here."""


class Mortal(ToyApplication):
    """Dies after so many evaluations."""

    def __init__(self, lives: int) -> None:
        self.lives = lives

    def evaluate(self, model: Any, fold: ToyFold) -> Any:
        if self.lives == 0:
            raise Killed
        self.lives -= 1
        return super().evaluate(model, fold)


def searched(where: Path, application: ToyApplication, *, seed: int) -> list[Trial]:
    outcome = search(
        application,
        MODELS,
        application.prepare({"points": a_frame()}, seed=seed),
        seed=seed,
        budget=BUDGET,
        study_url=f"sqlite:///{where / 'study.sqlite'}",
        study_name="toy",
        progress=lambda trial: None,
    )
    return [replace(trial, seconds=0.0) for trial in outcome.trials]


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**31), kills=st.lists(st.integers(0, 4), min_size=1, max_size=3))
def test_kills_leave_no_trace(seed: int, kills: list[int]) -> None:
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        for lives in kills:
            try:
                searched(Path(rough), Mortal(lives), seed=seed)
            except Killed:
                continue
        assert searched(Path(rough), ToyApplication(), seed=seed) == searched(
            Path(calm), ToyApplication(), seed=seed
        )


values = st.one_of(st.none(), st.floats(-1e6, 1e6))
families = st.sampled_from(["plain", "fancy", "baroque"])


@given(st.lists(st.tuples(families, values), max_size=12))
def test_the_winner_is_never_beaten(tried: list[tuple[str, float | None]]) -> None:
    trials = [
        Trial(number=number, family=family, hyperparameters={}, value=value, seconds=0.0)
        for number, (family, value) in enumerate(tried)
    ]
    order = ("plain", "fancy", "baroque")
    best = winner(trials, order)
    complete = [trial for trial in trials if trial.value is not None]
    if best is None:
        assert not complete
        return
    assert best.value == max(trial.value for trial in complete)
    ties = [trial for trial in complete if trial.value == best.value]
    assert order.index(best.family) == min(order.index(trial.family) for trial in ties)
