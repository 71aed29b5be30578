"""Two lists in one: fair, repeatable, and one vote a user."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy import stats

from flyball.errors import InvalidRequest
from flyball.stats.experiments.interleaving import Interleaved, Team, preference, team_draft

A = ["a", "b", "c", "d", "e", "f"]
B = ["b", "e", "a", "f", "c", "d"]


def mixes(a, b, k, count=4_000):
    return [team_draft(a, b, k, seed=f"request {n}") for n in range(count)]


class TestAMix:
    def test_is_the_same_for_the_same_request_and_others_for_others(self):
        first = team_draft(A, B, 6, seed="x")
        assert team_draft(A, B, 6, seed="x") == first
        assert len({team_draft(A, B, 6, seed=str(n)) for n in range(200)}) > 5

    def test_is_the_same_in_every_process(self):
        """Written down once: a change here would mix the credits of a test that is under way."""
        found = team_draft(A, B, 4, seed="0123abcd")
        assert (found.items, [str(t) for t in found.teams]) == (
            ("b", "a", "c", "e"), ["b", "a", "a", "b"],
        )  # fmt: skip

    def test_has_no_item_twice_and_only_the_best(self):
        for mix in mixes(A, B, 4, 500):
            assert len(set(mix.items)) == 4
            assert set(mix.items) <= set(A[:4]) | set(B[:4])

    def test_gives_each_version_every_second_place(self):
        for mix in mixes(A, B, 6, 500):
            for start in (0, 2, 4):
                assert set(mix.teams[start : start + 2]) == {Team.A, Team.B}

    def test_is_fair_place_by_place_where_both_rank_alike(self):
        found = mixes(A, A, 5)
        assert all(mix.items == tuple(A[:5]) for mix in found)
        low, high = stats.binom.ppf([1e-5, 1 - 1e-5], len(found), 0.5)
        for place in range(5):
            assert low <= sum(mix.teams[place] is Team.A for mix in found) <= high

    def test_keeps_the_order_of_each_version_among_its_picks(self):
        for mix in mixes(A, B, 6, 200):
            for team, ranked in ((Team.A, A), (Team.B, B)):
                picks = [i for i, t in zip(mix.items, mix.teams, strict=True) if t is team]
                assert picks == sorted(picks, key=ranked.index)

    @pytest.mark.parametrize(
        ("a", "b", "k", "items"),
        [
            (["a", "a", "b"], ["b", "b", "a"], 5, {"a", "b"}),
            (["a"], A, 4, {"a", "b", "c", "d"}),
            ([], ["x", "y"], 5, {"x", "y"}),
            ([], [], 3, set()),
        ],
    )
    def test_of_doubled_short_or_empty_lists_is_as_long_as_can_be(self, a, b, k, items):
        mix = team_draft(a, b, k, seed="s")
        assert set(mix.items) == items
        assert len(mix.items) == len(items) == len(mix.teams)

    def test_goes_on_when_a_version_has_nothing_left(self):
        mix = team_draft(["a"], ["a", "b", "c", "d"], 4, seed="s")
        assert mix.items == ("a", "b", "c", "d")
        assert set(mix.teams[1:]) == {Team.B}

    def test_is_as_long_as_asked_for_also_beyond_256_coins(self):
        mix = team_draft(range(1_000), range(1_000, 2_000), 900, seed="long")
        assert len(set(mix.items)) == 900

    def test_of_nothing_is_refused(self):
        with pytest.raises(InvalidRequest, match="at least 1"):
            team_draft(A, B, 0, seed="s")


def test_credit_counts_each_chosen_item_once_for_who_picked_it():
    mix = Interleaved(items=("a", "b", "c"), teams=(Team.A, Team.B, Team.B))
    assert mix.credit(["b", "b", "c", "never shown"]) == (0, 2)
    assert mix.credit([]) == (0, 0)


class TestAPreference:
    def test_is_the_exact_sign_test(self):
        found = preference([1] * 3 + [0] * 9 + [2], [0] * 3 + [1] * 9 + [2])
        assert (found.users, found.for_a, found.for_b, found.ties) == (13, 3, 9, 1)
        by_hand = 2 * sum(comb(12, wins) for wins in range(4)) / 2**12
        assert found.p_value == pytest.approx(by_hand)
        low, high = stats.beta.ppf(0.025, 9, 4), stats.beta.ppf(0.975, 10, 3)
        assert (found.low, found.high) == pytest.approx((low, high))

    def test_gives_a_busy_user_one_vote(self):
        assert preference([0, 0, 0], [1, 1, 1_000]).for_b == 3

    def test_of_nobody_says_that_anything_may_be(self):
        found = preference([0, 0, 2], [0, 0, 2])
        assert (found.share_b, found.low, found.high, found.p_value) == (0.5, 0.0, 1.0, 1.0)
        assert (found.users, found.ties) == (1, 1)

    def test_errs_no_more_than_promised_on_equal_versions_with_busy_users(self):
        """Users click a few or hundreds of places of mixed lists; both versions rank alike."""
        rng, runs, wrong = np.random.default_rng(41), 120, 0
        for run in range(runs):
            credits = []
            for user in range(40):
                total = np.zeros(2)
                for n in range(1 + int(rng.pareto(1.0))):
                    if n > 60:
                        break
                    mix = team_draft(A, A, 5, seed=f"{run}/{user}/{n}")
                    total += mix.credit([A[int(rng.integers(0, 3))]])
                credits.append(total)
            for_a, for_b = np.array(credits).T
            wrong += preference(for_a, for_b).p_value < 0.05
        assert wrong <= stats.binom.ppf(1 - 1e-4, runs, 0.05)

    def test_finds_a_better_version_with_few_users(self):
        """80 users; B ranks what they like first, A last."""
        rng, credits = np.random.default_rng(42), []
        for user in range(80):
            liked = int(rng.integers(0, 6))
            worse = [n for n in range(6) if n != liked] + [liked]
            better = [liked, *(n for n in range(6) if n != liked)]
            mix = team_draft(worse, better, 3, seed=str(user))
            credits.append(mix.credit([liked] if rng.random() < 0.6 else []))
        found = preference(*np.array(credits).T)
        assert found.p_value < 1e-4
        assert found.low > 0.5

    @pytest.mark.parametrize(
        ("a", "b", "confidence"),
        [([1], [1, 2], 0.95), ([-1], [1], 0.95), ([np.nan], [1], 0.95), ([1], [1], 1.0)],
    )
    def test_refuses_what_are_no_votes(self, a, b, confidence):
        with pytest.raises(InvalidRequest):
            preference(a, b, confidence=confidence)
