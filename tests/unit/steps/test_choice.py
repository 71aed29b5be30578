"""Who wins a search: the simplest family that is not significantly worse than the best."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flyball.domain.training import Trial
from flyball.steps.choice import Choice, Contender, choose

FAMILIES = ("plain", "fancy", "baroque")


def contender(
    family: str, units: Any, *, number: int = 0, value: float | None = None, measured: bool = True
) -> Contender:
    values = np.asarray(units, dtype=np.float32)
    trial = Trial(
        number=number,
        family=family,
        hyperparameters={},
        value=float(values.mean()) if value is None else value,
        seconds=1.0,
    )
    return Contender(trial, values if measured else None)


def chosen(*contenders: Contender, families: tuple[str, ...] = FAMILIES, seed: int = 7) -> Choice:
    found = choose(contenders, families, objective="ndcg@10", seed=seed)
    assert found is not None
    return found


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


class TestAFamilyThatIsAheadByChance:
    """The simpler one wins."""

    def test_loses_to_the_simpler_one(self, rng):
        base = rng.uniform(0, 1, 400)
        fancy = contender("fancy", base + 0.002 + rng.normal(0, 0.2, 400), number=1, value=0.502)
        found = chosen(contender("plain", base, value=0.5), fancy)
        assert found.winner.family == "plain"
        assert found.why.startswith(
            "plain 0.5000 is simpler than fancy 0.5020, and not significantly worse (by "
        )

    def test_that_is_much_behind_on_little_data_does_not_win_for_being_simple(self, rng):
        base = rng.uniform(0, 1, 8)
        fancy = contender("fancy", base + rng.normal(0.3, 1.0, 8), number=1, value=0.33)
        assert chosen(contender("plain", base, value=0.14), fancy).winner.family == "fancy"

    def test_the_simplest_of_several_wins(self, rng):
        base = rng.uniform(0, 1, 400)
        noise = [rng.normal(0, 0.1, 400) for _ in FAMILIES]
        contenders = [
            contender(family, base + one - one.mean() + 0.001 * place, number=place)
            for place, (family, one) in enumerate(zip(FAMILIES, noise, strict=True))
        ]
        assert chosen(*contenders).winner.family == "plain"
        assert chosen(*contenders, families=FAMILIES[::-1]).winner.family == "baroque"

    def test_of_two_equal_families_the_simpler_wins_in_at_least_95_of_100_searches(self):
        """Players differ, both models are equally good on them, each with noise of its own."""
        rng = np.random.default_rng(11)
        searches, wins = 600, 0
        for seed in range(searches):
            players = rng.beta(1.0, 2.0, 120)
            plain, fancy = (players + rng.normal(0, 0.15, 120) for _ in range(2))
            found = chosen(contender("plain", plain), contender("fancy", fancy), seed=seed)
            wins += found.winner.family == "plain"
        assert wins >= 0.95 * searches
        assert wins < searches  # it is a test, not a preference that nothing overcomes


class TestAFamilyThatIsTrulyBetter:
    """It wins, however simple the others are."""

    def test_and_the_reason_has_the_interval(self, rng):
        base = rng.uniform(0, 1, 2000)
        plain = contender("plain", base)
        fancy = contender("fancy", base + 0.02 + rng.normal(0, 0.1, 2000), number=1)
        found = chosen(plain, fancy)
        assert found.winner.family == "fancy"
        standing = found.standings[1]
        assert standing.low is not None
        assert standing.high is not None
        assert 0 < standing.low < standing.behind < standing.high
        assert found.why == (
            f"fancy {fancy.value:.4g} is better than plain {plain.value:.4g} by "
            f"{standing.behind:#.2g} (95% {standing.low:#.2g} to {standing.high:#.2g})"
        )

    def test_in_at_least_95_of_100_searches_where_the_gain_is_four_standard_errors(self):
        rng = np.random.default_rng(12)
        gain = 4.0 * 0.1 / np.sqrt(120)
        wins = sum(
            chosen(
                contender("plain", base := rng.uniform(0, 1, 120)),
                contender("fancy", base + gain + rng.normal(0, 0.1, 120)),
                seed=seed,
            ).winner.family
            == "fancy"
            for seed in range(200)
        )
        assert wins >= 190

    def test_beats_the_simplest_but_not_the_next(self, rng):
        base = rng.uniform(0, 1, 1000)
        found = chosen(
            contender("plain", base - 0.1 + rng.normal(0, 0.05, 1000)),
            contender("fancy", base),
            contender("baroque", base + 0.0001 + rng.normal(0, 0.05, 1000)),
        )
        assert found.winner.family == "fancy"


class TestTheStandings:
    """Each family at its best, beside the best of all."""

    def test_hold_the_best_trial_of_each_family_the_best_first(self, rng):
        base = rng.uniform(0, 1, 50)
        found = chosen(
            contender("plain", base - 0.3, number=0),
            contender("fancy", base - 0.2, number=1),
            contender("fancy", base, number=2),
            contender("fancy", base, number=3),
        )
        assert [(s.family, s.trial) for s in found.standings] == [("fancy", 2), ("plain", 0)]

    def test_the_best_has_no_interval(self, rng):
        first, second = chosen(
            contender("plain", rng.uniform(0, 1, 50) - 1.0),
            contender("fancy", rng.uniform(0, 1, 50)),
        ).standings
        assert (first.behind, first.low, first.high) == (0.0, None, None)
        assert second.low is not None

    def test_are_the_same_for_the_same_measurements_in_any_order(self, rng):
        base = rng.uniform(0, 1, 50)
        contenders = [
            contender(family, base + rng.normal(0, 0.1, 50), number=n)
            for n, family in enumerate(FAMILIES)
        ]
        assert chosen(*contenders) == chosen(*contenders[::-1])

    def test_units_without_a_value_under_both_are_left_out(self, rng):
        base = rng.uniform(0, 1, 500)
        gaps = base.copy()
        gaps[::7] = np.nan
        found = chosen(
            contender("plain", gaps - 0.1, value=0.4), contender("fancy", base, value=0.5)
        )
        assert found.standings[1].behind == pytest.approx(0.1, abs=1e-6)


class TestTies:
    """Equal values."""

    def test_go_to_the_simpler_family(self):
        same = np.linspace(0, 1, 30)
        found = chosen(contender("fancy", same, number=0), contender("plain", same, number=1))
        assert found.winner.family == "plain"

    def test_and_within_a_family_to_the_earlier_trial(self):
        same = np.linspace(0, 1, 30)
        found = chosen(contender("plain", same, number=5), contender("plain", same, number=2))
        assert found.winner.number == 2


class TestWithoutValuesByUnit:
    """Nothing to resample: the highest value wins, and the reason says so."""

    def test_the_highest_wins(self):
        plain = contender("plain", [0.5], value=0.5, measured=False)
        fancy = contender("fancy", [0.51], value=0.51, measured=False)
        found = chosen(plain, fancy)
        assert found.winner.family == "fancy"
        assert found.why == (
            "fancy 0.5100 is the best ndcg@10, before plain 0.5000; it is no mean over units, so "
            "nobody can say whether by chance"
        )

    @pytest.mark.parametrize("units", [[0.5], [np.nan, 0.5, np.nan], [0.5] * 9])
    def test_also_where_too_few_or_others_were_measured(self, units):
        fancy = contender("fancy", [0.5, np.nan, 0.5], value=0.51)
        found = chosen(contender("plain", units, value=0.5), fancy)
        assert found.winner.family == "fancy"
        assert found.standings[1].low is None


class TestTheReason:
    """In the cases that need no test."""

    def test_a_family_alone(self):
        assert chosen(contender("fancy", [0.5, 0.5])).why == (
            "fancy 0.5000 is the best ndcg@10, and no other family came to its end"
        )

    def test_the_best_is_the_simplest(self):
        found = chosen(contender("plain", [0.5, 0.5]), contender("fancy", [0.25, 0.25]))
        assert found.why == (
            "plain 0.5000 is the best ndcg@10, and no family is simpler; next is fancy 0.2500"
        )

    def test_large_and_tiny_values_are_told_with_the_digits_that_count(self):
        found = chosen(
            contender("plain", [-81234.5, -81236.5]), contender("fancy", [1e-7, 3e-7], number=1)
        )
        assert "fancy 2.000e-07 is better than plain -8.124e+04 by 8.1e+04" in found.why

    def test_nothing_complete_has_no_winner(self):
        assert choose([], FAMILIES, objective="ndcg@10", seed=1) is None
