"""Boosts and pins: each for its time, never past a filter, before the list is cut."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.errors import InvalidRequest
from flyball.recommend import top_k
from flyball.recommend.rules import Boost, Pin, Rules
from flyball.stats.probability import Calibration

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MAP = Calibration(np.array([-2.0, 0.0, 3.0]), np.array([0.001, 0.05, 0.8]))
SCORES = np.array([-1.5, -0.5, 0.5, 1.5, 2.5], dtype=np.float32)
ALL = np.ones(5, dtype=bool)


def boost(items, factor, start=NOW - DAY, end=NOW + DAY):
    return Boost(items=np.array(items), factor=factor, start=start, end=end)


def pin(item, place, start=NOW - DAY, end=NOW + DAY):
    return Pin(item=item, place=place, start=start, end=end)


def shown(rules: Rules, k: int = 5, allowed=ALL, scores=SCORES, now=NOW) -> list[int]:
    ruled = rules.apply(scores, allowed, now, calibration=MAP)
    return ruled.cut(top_k(ruled.scores, len(scores)), k).tolist()


class TestABoost:
    """Multiplies the odds of its items."""

    def test_multiplies_the_odds_also_where_scores_are_negative(self):
        before = MAP.apply(SCORES)
        after = MAP.apply(
            Rules((boost([0, 1], 3.0),)).apply(SCORES, ALL, NOW, calibration=MAP).scores
        )
        odds = after / (1 - after) / (before / (1 - before))
        assert odds == pytest.approx([3, 3, 1, 1, 1], rel=1e-4)

    def test_moves_its_items_up_or_holds_them_back(self):
        assert shown(Rules()) == [4, 3, 2, 1, 0]
        assert shown(Rules((boost([1], 1000.0),))) == [1, 4, 3, 2, 0]
        assert shown(Rules((boost([4], 0.05),))) == [3, 2, 4, 1, 0]

    def test_of_a_mask_is_that_of_its_columns(self):
        mask = np.array([False, True, False, False, True])
        by_mask = Rules((boost(mask, 2.0),)).apply(SCORES, ALL, NOW, calibration=MAP)
        by_column = Rules((boost([1, 4], 2.0),)).apply(SCORES, ALL, NOW, calibration=MAP)
        np.testing.assert_array_equal(by_mask.scores, by_column.scores)

    def test_twice_is_one_by_the_product(self):
        twice = Rules((boost([1], 2.0), boost([1, 2], 3.0)))
        once = Rules((boost([1], 6.0), boost([2], 3.0)))
        np.testing.assert_allclose(
            twice.apply(SCORES, ALL, NOW, calibration=MAP).scores,
            once.apply(SCORES, ALL, NOW, calibration=MAP).scores,
        )

    def test_named_twice_in_one_boost_counts_once(self):
        assert shown(Rules((boost([1, 1, 1], 2.0),))) == shown(Rules((boost([1], 2.0),)))

    @given(factor=st.floats(1e-6, 1e6), seed=st.integers(0, 100))
    @settings(max_examples=50, deadline=None)
    def test_never_turns_around_two_items_that_both_have_it(self, factor, seed):
        scores = np.random.default_rng(seed).normal(scale=3, size=30).astype(np.float32)
        ruled = Rules((boost(np.ones(30, bool), factor),)).apply(
            scores, np.ones(30, bool), NOW, calibration=MAP
        )
        moved = ruled.scores[np.argsort(scores)]
        assert (np.diff(moved) >= 0).all()
        assert np.isfinite(moved).all()

    def test_brings_back_nothing_that_is_not_allowed(self):
        assert shown(Rules((boost([1], 1e9),)), allowed=np.array([1, 0, 1, 1, 1], bool)) == [
            4,
            3,
            2,
            0,
        ]

    def test_leaves_the_scores_it_was_given(self):
        scores = SCORES.copy()
        Rules((boost([1], 2.0),)).apply(scores, ALL, NOW, calibration=MAP)
        np.testing.assert_array_equal(scores, SCORES)


class TestTime:
    """A rule counts from its start on, and no more at its end."""

    @pytest.mark.parametrize(
        ("since", "counts"), [(-timedelta(seconds=1), False), (0 * DAY, True), (DAY, False)]
    )
    def test_is_start_inclusive_and_end_exclusive(self, since, counts):
        start, end = NOW, NOW + DAY
        by_boost = shown(Rules((boost([0], 1e9, start, end),)), now=NOW + since)
        by_pin = shown(Rules(pins=(pin(0, 1, start, end),)), now=NOW + since)
        assert (by_boost[0] == 0) is counts
        assert (by_pin[0] == 0) is counts

    def test_zones_are_understood(self):
        from datetime import timezone

        east = timezone(timedelta(hours=9))
        rule = pin(
            0, 1, datetime(2026, 5, 1, 21, tzinfo=east), datetime(2026, 5, 1, 22, tzinfo=east)
        )
        assert shown(Rules(pins=(rule,)))[0] == 0

    def test_now_without_a_zone_is_refused(self):
        with pytest.raises(InvalidRequest, match="time zone"):
            shown(Rules(), now=datetime(2026, 5, 1))


class TestAPin:
    """Puts an item at a place."""

    def test_takes_its_place_and_the_others_move_on(self):
        assert shown(Rules(pins=(pin(0, 1),))) == [0, 4, 3, 2, 1]
        assert shown(Rules(pins=(pin(0, 3),))) == [4, 3, 0, 2, 1]
        assert shown(Rules(pins=(pin(0, 1), pin(1, 3)))) == [0, 4, 1, 3, 2]

    def test_moves_an_item_down_as_well(self):
        assert shown(Rules(pins=(pin(4, 4),))) == [3, 2, 1, 4, 0]

    def test_comes_in_before_the_list_is_cut(self):
        """The list is full, and has the pinned item once."""
        assert shown(Rules(pins=(pin(0, 2),)), k=3) == [4, 0, 3]

    def test_beyond_the_list_is_not_shown(self):
        assert shown(Rules(pins=(pin(0, 4),)), k=3) == [4, 3, 2]

    def test_beyond_the_end_of_a_short_list_comes_last_so_that_no_place_is_empty(self):
        only = np.array([True, False, False, True, True])
        assert shown(Rules(pins=(pin(0, 5),)), allowed=only) == [4, 3, 0]
        assert shown(Rules(pins=(pin(0, 5), pin(4, 3))), allowed=only) == [3, 0, 4]

    def test_does_not_let_an_owned_hidden_or_filtered_item_in(self):
        allowed = np.array([False, True, True, True, True])
        assert shown(Rules(pins=(pin(0, 1), pin(1, 2))), allowed=allowed) == [4, 1, 3, 2]

    def test_is_not_lost_when_the_others_are_ranked_anew(self):
        ruled = Rules(pins=(pin(0, 2),)).apply(SCORES, ALL, NOW, calibration=MAP)
        assert ruled.cut(np.array([2, 4, 3]), 3).tolist() == [2, 0, 4]

    @given(
        places=st.lists(st.integers(1, 12), unique=True, max_size=5),
        allowed=st.lists(st.booleans(), min_size=8, max_size=8),
        k=st.integers(0, 10),
    )
    @settings(max_examples=150, deadline=None)
    def test_or_several_leave_lists_full_without_doubles_and_in_place(self, places, allowed, k):
        mask = np.array(allowed)
        rules = Rules(pins=tuple(pin(item, place) for item, place in enumerate(places)))
        scores = np.arange(8, dtype=np.float32)
        found = shown(rules, k=k, allowed=mask, scores=scores)
        assert len(found) == len(set(found)) == min(k, int(mask.sum()))
        assert all(mask[item] for item in found)
        for item, place in enumerate(places):
            if mask[item] and place <= len(found):
                assert found[place - 1] == item


class TestWrongRules:
    """Are refused when they are made, not when a player asks."""

    @pytest.mark.parametrize("factor", [0.0, -1.0, math.inf, math.nan])
    def test_a_factor_that_is_none(self, factor):
        with pytest.raises(InvalidRequest, match="factor"):
            boost([1], factor)

    @pytest.mark.parametrize("items", [[-1], [[1, 2]], [0.5], ["a"]])
    def test_items_that_are_none(self, items):
        with pytest.raises(InvalidRequest):
            boost(items, 2.0)

    @pytest.mark.parametrize(
        "make", [lambda s, e: boost([1], 2.0, s, e), lambda s, e: pin(1, 1, s, e)]
    )
    def test_times_that_end_before_they_start_or_have_no_zone(self, make):
        for start, end in ((NOW, NOW), (NOW, NOW - DAY)):
            with pytest.raises(InvalidRequest, match="before it starts"):
                make(start, end)
        with pytest.raises(InvalidRequest, match="time zone"):
            make(NOW.replace(tzinfo=None), NOW)

    @pytest.mark.parametrize(("item", "place"), [(1, 0), (1, -3), (-1, 1)])
    def test_a_place_or_an_item_that_is_none(self, item, place):
        with pytest.raises(InvalidRequest):
            pin(item, place)

    def test_two_pins_on_one_place_at_one_time(self):
        with pytest.raises(InvalidRequest, match="place 1"):
            Rules(pins=(pin(0, 1), pin(1, 1, NOW, NOW + 3 * DAY)))
        Rules(pins=(pin(0, 1, NOW, NOW + DAY), pin(1, 1, NOW + DAY, NOW + 2 * DAY)))

    def test_one_item_pinned_at_two_places_at_one_time(self):
        with pytest.raises(InvalidRequest, match="places 1 and 2"):
            Rules(pins=(pin(0, 1), pin(0, 2)))

    @pytest.mark.parametrize(
        "rules",
        [
            Rules((boost([5], 2.0),)),
            Rules((boost([True] * 4, 2.0),)),
            Rules(pins=(pin(5, 1),)),
        ],
    )
    def test_items_of_another_catalogue(self, rules):
        with pytest.raises(InvalidRequest, match="catalogue"):
            shown(rules)

    def test_scores_and_a_mask_of_two_catalogues(self):
        with pytest.raises(InvalidRequest, match="do not fit"):
            Rules().apply(SCORES, ALL[:4], NOW, calibration=MAP)
