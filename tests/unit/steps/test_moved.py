"""Which columns of a table moved between two versions, and when nobody can tell."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.domain.validation import Verdict
from flyball.stats.profile import Profile
from flyball.steps.moved import ENOUGH, Movement, Profiled, movements
from flyball.steps.profile import Profiler

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA = Schema(
    name="plays",
    columns=(
        Column(name="user", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
        Column(name="event", type=ColumnType.STRING),
        Column(name="value", type=ColumnType.NUMBER),
    ),
)


def batch(seed: int, *, larger: float = 0.0, times: float = 60.0) -> Profile:
    """Plays of 12,000 rows; a share of the values is so many times larger."""
    rng = np.random.default_rng(seed)
    value = rng.lognormal(1, 1, 12_000) * np.where(rng.random(12_000) < larger, times, 1.0)
    profiler = Profiler(SCHEMA)
    profiler.add(
        pl.DataFrame(
            {
                "user": [f"u{u}" for u in rng.integers(0, 3_000, 12_000)],
                "event": rng.choice(["play", "buy"], 12_000),
                "value": value,
            }
        )
    )
    return profiler.finished()


def moved(before: list[Profile], added: list[Profile]) -> dict[str, Movement]:
    """By column, what more batches did to a version of these."""
    old = {f"b{n}": profile for n, profile in enumerate(before)}
    new = {f"n{n}": profile for n, profile in enumerate(added)}
    profiled = Profiled(before=old, after=old | new)
    found = movements(profiled, SCHEMA, false_alarms=0.01, now=NOW)
    return {one.column: one for one in found}


@pytest.mark.parametrize("batches", [1, 2])
def test_after_few_batches_what_is_no_alarm_cannot_be_told(batches: int) -> None:
    """Nobody knows how much batches differ; the reason is given."""
    found = moved([batch(n) for n in range(batches)], [batch(9)])
    assert {one.verdict for one in found.values()} == {Verdict.INCONCLUSIVE}
    assert f"{batches} batch" in found["value"].detail


def test_a_sixth_of_the_values_after_one_batch_is_never_called_unmoved() -> None:
    """It is a move, or cannot be told."""
    found = moved([batch(0)], [batch(9, larger=1 / 6)])
    assert found["value"].verdict is not Verdict.PASS
    assert found["event"].verdict is Verdict.INCONCLUSIVE


def test_what_is_beyond_chance_is_a_move_after_one_batch() -> None:
    """All of the values in another unit."""
    assert moved([batch(0)], [batch(9, larger=1.0)])["value"].verdict is Verdict.FAIL


def test_after_enough_batches_a_sixth_is_a_move_and_what_stayed_is_none() -> None:
    """Both are known then."""
    found = moved([batch(n) for n in range(ENOUGH)], [batch(9, larger=1 / 6)])
    assert found["value"].verdict is Verdict.FAIL
    assert found["event"].verdict is Verdict.PASS


def test_versions_of_the_same_batches_have_not_moved() -> None:
    """As where only a person was forgotten."""
    found = moved([batch(0)], [])
    assert {one.verdict for one in found.values()} == {Verdict.PASS}
    assert all(one.distance == pytest.approx(0, abs=1e-9) for one in found.values())


def test_of_versions_without_a_profile_nothing_can_be_told() -> None:
    """No data is never a pass."""
    found = moved([], [batch(0)])
    assert {one.verdict for one in found.values()} == {Verdict.INCONCLUSIVE}
