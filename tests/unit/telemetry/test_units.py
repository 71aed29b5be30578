"""Units of a stretch: each once, the lowest tags where there are many, and how far that is all."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.judging import Measure
from flyball.domain.routing import TAGS, Watch
from flyball.telemetry.units import MOST, Lowest, Units

WATCH = Watch("games/7", 0.05)


@given(tags=st.lists(st.integers(0, 60)), most=st.integers(1, 9), at_once=st.integers(1, 5))
def test_the_lowest_are_kept_however_they_come(tags, most, at_once):
    lowest = Lowest(most)
    for start in range(0, len(tags), at_once):
        lowest.add(tags[start : start + at_once])
    kept, below = lowest.kept()
    everything = sorted(set(tags))
    assert list(kept) == everything[:most]
    assert below == (everything[most] if len(everything) > most else None)


def test_memory_does_not_grow_with_the_number_of_units():
    lowest = Lowest(10)
    rng = random.Random(0)
    for _ in range(100_000):
        lowest.add([rng.randrange(TAGS)])
        assert len(lowest._tags) <= 20


def test_an_answer_in_time_is_only_seen():
    units = Units("games/7")
    units.note([5], WATCH, 0.05, failed=False)
    assert units.kept() == ({"seen": (5,)}, {})


def test_errors_and_slow_answers_are_kept_beside():
    units = Units("games/7")
    units.note([5], WATCH, 0.051, failed=False)
    units.note([3, 4], WATCH, 0.001, failed=True)
    units.note([4], WATCH, 0.2, failed=True)
    assert units.kept()[0] == {"seen": (3, 4, 5), "failed": (3, 4), "slow": (4, 5)}


def test_units_of_another_rollout_are_not_mixed_in():
    units = Units("games/7")
    units.note([5], Watch("games/8", 0.05), 1.0, failed=True)
    assert units.kept() == ({}, {})


@pytest.mark.parametrize("measure", list(MOST))
def test_a_busy_stretch_says_how_far_it_is_complete(measure):
    units, tags = Units("games/7"), list(range(0, 3000, 3))
    units.note(tags, WATCH, 1.0, failed=True)
    kept, below = units.kept()
    assert kept[measure.value] == tuple(tags[: MOST[measure]])
    assert below[measure.value] == tags[MOST[measure]]


def test_what_is_kept_of_clicks_is_not_for_workers_to_say():
    assert set(MOST) == {Measure.SEEN, Measure.FAILED, Measure.SLOW}
