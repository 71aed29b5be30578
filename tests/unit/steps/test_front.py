"""The front of a search: what no other trial beats in accuracy, cost and coverage together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.domain.training import Trial
from flyball.steps.front import coverages, front


def a(number: int, value: float | None, seconds: float, **measures: float) -> Trial:
    named = {name.replace("_at_", "@"): one for name, one in measures.items()}
    return Trial(
        number=number,
        family="any",
        hyperparameters={"n": number},
        value=value,
        seconds=seconds,
        measures={} if value is None else {"ndcg@10": value, **named},
    )


class TestTheFront:
    """Of complete trials."""

    def test_holds_the_most_accurate_and_the_cheapest(self):
        assert front([a(0, 0.1, 1.0), a(1, 0.5, 9.0), a(2, 0.4, 9.5)], "ndcg@10") == (0, 1)

    def test_holds_what_only_its_coverage_speaks_for(self):
        trials = [
            a(0, 0.5, 1.0, coverage_at_10=0.1),
            a(1, 0.4, 2.0, coverage_at_10=0.3),
            a(2, 0.3, 3.0, coverage_at_10=0.2),
        ]
        assert front(trials, "ndcg@10") == (0, 1)

    def test_holds_both_of_two_that_are_alike(self):
        assert front([a(0, 0.5, 1.0), a(1, 0.5, 1.0)], "ndcg@10") == (0, 1)

    def test_leaves_out_what_was_stopped_or_failed(self):
        assert front([a(0, None, 0.1), a(1, 0.5, 1.0)], "ndcg@10") == (1,)

    def test_leaves_out_a_repetition_which_cost_nothing(self):
        again = Trial(number=1, family="any", hyperparameters={"n": 0}, value=0.5, seconds=0.001)
        assert front([a(0, 0.5, 4.0), again], "ndcg@10") == (0,)

    def test_of_nothing_is_empty(self):
        assert front([], "ndcg@10") == ()


class TestCoverage:
    """Whatever the application calls so."""

    def test_is_each_measure_so_named_but_the_objective(self):
        trials = [a(0, 0.5, 1.0, coverage_at_10=0.1, coverage_at_20=0.2, recall_at_20=0.3)]
        assert coverages(trials, "ndcg@10") == ("coverage@10", "coverage@20")
        assert coverages(trials, "coverage@10") == ("coverage@20",)

    def test_counts_only_where_every_complete_trial_has_it(self):
        trials = [a(0, 0.5, 1.0, coverage_at_10=0.1), a(1, 0.5, 1.0), a(2, None, 1.0)]
        assert coverages(trials, "ndcg@10") == ()
        assert coverages(trials[::2], "ndcg@10") == ("coverage@10",)


coarse = st.sampled_from([0.0, 0.25, 0.5, 1.0])
measured = st.lists(st.tuples(coarse, coarse, coarse), max_size=8)


@given(measured)
def test_each_trial_is_on_the_front_or_beaten_by_one_that_is(points: list[Any]) -> None:
    trials = [a(n, v, s, coverage_at_10=c) for n, (v, s, c) in enumerate(points)]
    on = set(front(trials, "ndcg@10"))

    def beats(x: tuple[float, ...], y: tuple[float, ...]) -> bool:
        return x != y and x[0] >= y[0] and x[1] <= y[1] and x[2] >= y[2]

    for number, point in enumerate(points):
        beaten_by = [other for other in on if beats(points[other], point)]
        assert (number in on) == (not beaten_by)


@pytest.mark.parametrize("objective", ["ndcg@10", ""])
def test_old_records_without_measures_have_a_front_too(objective: str) -> None:
    old = Trial(number=0, family="any", hyperparameters={}, value=0.5, seconds=1.0)
    assert front([old], objective) == (0,)
