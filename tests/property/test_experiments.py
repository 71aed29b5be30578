"""What holds of every test, mix and exploration, whatever they are given."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.domain.ab_test import Spending
from flyball.recommend.exploration import explored
from flyball.stats.experiments.group_sequential import (
    FARTHEST,
    at_stopping,
    critical_values,
    crossings,
    spent,
)
from flyball.stats.experiments.interleaving import team_draft

ITEMS = st.lists(st.integers(0, 30), max_size=25)


@st.composite
def looks(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    """Information and fractions of some looks, each rising."""
    count = draw(st.integers(1, 6))
    gains = draw(st.lists(st.floats(0.2, 5.0), min_size=count, max_size=count))
    parts = draw(st.lists(st.floats(0.02, 1.0), min_size=count, max_size=count))
    information = [sum(gains[: n + 1]) for n in range(count)]
    return information, [min(1.0, sum(parts[: n + 1]) / sum(parts)) for n in range(count)]


@settings(deadline=None, max_examples=25)
@given(looks(), st.floats(0.001, 0.3), st.sampled_from(Spending))
def test_boundaries_spend_what_is_allowed_and_no_more(planned, alpha, spending):
    information, fractions = planned
    bounds = critical_values(information, fractions, alpha=alpha, spending=spending)
    above, below = crossings(information, bounds)
    allowed = spent(fractions[-1], alpha, spending)
    assert above == pytest.approx(below, abs=1e-9)
    assert above.sum() + below.sum() == pytest.approx(allowed, abs=1e-6)
    assert all(0.0 < bound <= FARTHEST for bound in bounds)


@settings(deadline=None, max_examples=12)
@given(looks(), st.floats(-7.0, 7.0))
def test_an_estimate_lies_within_its_interval_and_agrees_with_its_p_value(planned, z):
    information, fractions = planned
    bounds = critical_values(information, fractions)
    found = at_stopping(information, bounds, z)
    assert found.low <= found.value <= found.high
    assert all(map(math.isfinite, (found.low, found.high)))
    if abs(found.p_value - 0.05) > 1e-4:
        assert (found.p_value < 0.05) is not (found.low <= 0.0 <= found.high)


@given(ITEMS, ITEMS, st.integers(1, 20), st.text(max_size=8))
def test_a_mix_is_full_without_doubles_and_each_pick_is_its_teams_best(a, b, k, seed):
    mix = team_draft(a, b, k, seed=seed)
    assert mix == team_draft(a, b, k, seed=seed)
    assert len(set(mix.items)) == len(mix.items) == min(k, len({*a, *b}))
    ranked = {"a": a, "b": b}
    for place, (item, team) in enumerate(zip(mix.items, mix.teams, strict=True)):
        new = [one for one in ranked[team] if one not in mix.items[:place]]
        assert new[0] == item
    assert sum(mix.credit(mix.items)) == len(mix.items)


@given(
    st.lists(st.integers(), unique=True, max_size=15), st.integers(1, 12), st.floats(0, 1),
    st.text(max_size=8), st.sets(st.integers(0, 12)),
)  # fmt: skip
def test_exploration_keeps_the_list_whole_and_its_probabilities_possible(
    ranked, k, rate, seed, fixed
):
    found = explored(ranked, k, rate=rate, seed=seed, fixed=fixed)
    assert len(set(found.items)) == len(found.items) == min(k, len(ranked))
    assert all(0.0 < chance <= 1.0 for chance in found.propensities)
    moved = [n for n, item in enumerate(found.items) if item != ranked[n]]
    assert len(moved) <= 2
    assert not fixed & set(moved)
    assert found.changed is bool(moved)
