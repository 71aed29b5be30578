"""Chance in a list: seldom, gently, and with probabilities that are exact."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from flyball.errors import InvalidRequest
from flyball.recommend.exploration import explored
from flyball.stats.experiments.off_policy import Logged, snips

RANKED = list("abcdefg")


@pytest.mark.parametrize(("k", "fixed"), [(4, ()), (4, (0,)), (7, ()), (3, (1, 2))])
def test_each_item_is_at_each_place_as_often_as_its_propensity_says(k, fixed):
    runs, seen, told = 30_000, Counter(), {}
    for run in range(runs):
        found = explored(RANKED, k, rate=0.6, seed=f"answer {run}", fixed=fixed)
        for place, (item, chance) in enumerate(zip(found.items, found.propensities, strict=True)):
            seen[place, item] += 1
            assert told.setdefault((place, item), chance) == chance
    for key, chance in told.items():
        low, high = stats.binom.ppf([1e-6, 1 - 1e-6], runs, chance)
        assert low <= seen[key] <= high, key
    for place in range(k):  # all that can be there together is certain
        assert sum(chance for (at, _), chance in told.items() if at == place) == pytest.approx(1)
        reach = 1 if place in fixed else len(RANKED) - len(fixed)
        assert sum(at == place for at, _ in told) == reach


def test_changes_as_few_lists_as_asked_for_and_two_places_at_most():
    changed = 0
    for run in range(5_000):
        found = explored(RANKED, 5, rate=0.1, seed=str(run))
        moved = sum(a != b for a, b in zip(found.items, RANKED, strict=False))
        assert len(set(found.items)) == 5
        assert (moved > 0) is found.changed
        assert moved <= 2
        changed += found.changed
    assert changed <= stats.binom.ppf(1 - 1e-5, 5_000, 0.1)
    assert changed > 350


def test_is_the_same_for_the_same_request():
    for run in range(50):
        assert explored(RANKED, 4, rate=0.9, seed=str(run)) == explored(
            RANKED, 4, rate=0.9, seed=str(run)
        )


def test_changes_nothing_at_rate_0_nor_where_there_is_nothing_to_change():
    for ranked, k, fixed in ((RANKED, 4, ()), (["a"], 3, ()), ([], 3, ()), (list("ab"), 2, (0, 1))):
        rate = 0.0 if ranked is RANKED else 1.0
        found = explored(ranked, k, rate=rate, seed="s", fixed=fixed)
        assert found.items == tuple(ranked[:k])
        assert found.propensities == (1.0,) * len(found.items)
        assert not found.changed


def test_never_touches_a_pin():
    for run in range(500):
        assert explored(RANKED, 4, rate=1.0, seed=str(run), fixed=(2,)).items[2] == "c"


@pytest.mark.parametrize(
    ("ranked", "k", "rate", "reason"),
    [(RANKED, 0, 0.1, "at least 1"), (RANKED, 3, 1.5, "0 to 1"), (list("aba"), 2, 0.1, "twice")],
)
def test_refuses_what_has_no_exact_probability(ranked, k, rate, reason):
    with pytest.raises(InvalidRequest, match=reason):
        explored(ranked, k, rate=rate, seed="s")


def test_what_is_logged_so_shows_another_rankings_worth():
    """From lists with chance in them, the clicks of a ranking that was never shown."""
    chances = dict(zip("abcdefg", (0.1, 0.3, 0.2, 0.5, 0.1, 0.4, 0.2), strict=True))
    candidate = list("dfbca")[:3]
    rng = np.random.default_rng(50)
    rows = []
    for run in range(9_000):
        found = explored(RANKED, 3, rate=0.7, seed=f"log {run}")
        for place, (item, chance) in enumerate(zip(found.items, found.propensities, strict=True)):
            rows.append((run % 1_500, rng.random() < chances[item], chance,
                         item == candidate[place]))  # fmt: skip
    users, rewards, propensities, target = map(np.array, zip(*rows, strict=True))
    found = snips(Logged(users, rewards, propensities, target))
    truth = sum(chances[item] for item in candidate) / 3
    assert found.insufficient == ""
    assert abs(found.candidate - truth) < 4 * found.error
    assert found.low > 0.05  # the candidate is far better than what was shown
