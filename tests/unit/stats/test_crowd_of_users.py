"""How many users something has happened to: against formulas, and against simulated users."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.stats.sequential.crowd import Crowd, crowd


def test_whoever_cannot_be_told_apart_is_new_each_time():
    assert Crowd(fresh=2.0).by([0.0, 1.0, 60.0]).tolist() == [0.0, 2.0, 120.0]


def test_one_heavy_user_is_one_user_however_often_they_ask():
    heavy = Crowd(rates=(50.0,), units=(1.0,))
    assert heavy.per_second == 50.0
    assert heavy.by(10.0) == pytest.approx(1.0)


def test_users_grow_and_never_beyond_those_there_are():
    found = Crowd(rates=(0.1, 0.001), units=(30.0, 500.0)).by(np.geomspace(0.1, 1e6, 50))
    assert (np.diff(found) >= 0).all()
    assert found[-1] == pytest.approx(530.0)


def test_what_happens_half_as_often_reaches_as_many_users_in_twice_the_time():
    users = Crowd(fresh=0.5, rates=(0.1, 0.01), units=(20.0, 300.0))
    assert users.times(0.5).by(80.0) == pytest.approx(users.by(40.0))
    assert users.times(0.0).by(1e9) == 0.0


def test_more_users_of_the_same_habits_are_that_many_more_at_any_time():
    users = Crowd(fresh=0.5, rates=(0.1,), units=(20.0,))
    assert users.grown(3.0).by(7.0) == pytest.approx(3.0 * users.by(7.0))


def test_all_that_was_counted_is_kept():
    counts = [1] * 40 + [2] * 9 + [5] * 3 + [100]
    assert crowd(counts, seconds=60.0, fresh=30).per_second == pytest.approx(
        (sum(counts) + 30) / 60.0
    )


@pytest.mark.parametrize("counts", [[], [1], [2], [7]])
def test_little_data_is_no_trouble(counts):
    found = crowd(counts, seconds=10.0)
    assert found.per_second == pytest.approx(sum(counts) / 10.0)
    assert found.by(10.0) <= max(1.0, sum(counts)) + 1e-9


@pytest.mark.parametrize("sigma", [0.3, 1.5])
def test_tells_how_many_users_come_by_later(sigma):
    """From ten minutes of users whose habits differ a little or much, the next forty."""
    rng = np.random.default_rng(4)
    rates = rng.lognormal(np.log(1e-3), sigma, 4_000)
    counts = rng.poisson(rates * 600.0)
    found = crowd(counts[counts > 0], seconds=600.0)
    for seconds in (60.0, 600.0, 2_400.0):
        truth = (1.0 - np.exp(-rates * seconds)).sum()
        assert found.by(seconds) == pytest.approx(truth, rel=0.2)
