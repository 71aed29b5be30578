"""Who is served worse, and whether that is more than chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from flyball.errors import InvalidRequest
from flyball.recommend import ndcg, rank
from flyball.recommend.groups import activity, bands
from flyball.recommend.segments import Segmented, by_item, by_user, report
from ranking_worlds import Fixed, fold_of, random_world


def mask(*flags):
    return np.array(flags, dtype=bool)


class TestByUser:
    def test_a_user_may_be_in_several_segments_or_none(self):
        found = by_user([0.1, 0.2, 0.3], {"a": mask(1, 1, 0), "b": mask(0, 1, 0)})
        np.testing.assert_array_equal(found.values, [[0.1, np.nan], [0.2, 0.2], [np.nan, np.nan]])

    def test_refuses_a_mask_of_other_users(self):
        with pytest.raises(InvalidRequest, match="mask of segment a has shape"):
            by_user([0.1, 0.2], {"a": mask(1)})


class TestByItem:
    """One user; the list is items 0 to 5, of which 0, 2 and 5 are held out."""

    ranking = rank(Fixed([6, 5, 4, 3, 2, 1]), fold_of([[0] * 6], [[1, 0, 1, 0, 0, 1]]))

    def test_what_else_was_right_is_no_mistake(self):
        """Without items 0 and 5 the list is 1 2 3 4, and item 2 stands second."""
        found = by_item(self.ranking, {"a": mask(0, 0, 1, 0, 0, 0)}, 3)
        assert found.values.tolist() == [[pytest.approx(1 / math.log2(3))]]

    def test_several_items_of_a_segment_share_its_value(self):
        """Without item 0 the list is 1 2 3 4 5: held out at places 2 and 5, ideal 1 and 2."""
        found = by_item(self.ranking, {"a": mask(0, 1, 1, 0, 0, 1)}, 5)
        gain = 1 / math.log2(3) + 1 / math.log2(6)
        assert found.values.tolist() == [[pytest.approx(gain / (1 + 1 / math.log2(3)))]]

    def test_places_below_the_kth_do_not_count(self):
        assert by_item(self.ranking, {"a": mask(0, 0, 0, 0, 0, 1)}, 3).values.tolist() == [[0.0]]

    def test_a_user_has_no_value_where_nothing_was_held_out(self):
        found = by_item(self.ranking, {"a": mask(0, 1, 0, 0, 0, 0)}, 3)
        assert np.isnan(found.values).all()

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("k", [1, 5, 10])
    def test_of_all_items_is_ndcg(self, seed, k):
        fold, scores = random_world(seed)
        ranking = rank(Fixed(scores), fold)
        found = by_item(ranking, {"all": np.ones(25, dtype=bool)}, k)
        assert found.values[:, 0] == pytest.approx(ndcg(ranking, k))

    @pytest.mark.parametrize("seed", range(3))
    def test_of_a_segment_is_ndcg_on_the_fold_without_the_others(self, seed):
        """Held-out items of other segments become training items: they leave the list."""
        fold, scores = random_world(seed)
        chosen = np.random.default_rng(seed).random(25) < 0.4
        test = fold.test.toarray()
        other = fold_of(fold.train.matrix.toarray() + test * ~chosen, test * chosen)
        ranking = rank(Fixed(scores), fold)
        found = by_item(ranking, {"chosen": chosen}, 5).values[:, 0]
        users = other.test_users
        expected = ndcg(rank(Fixed(scores[users]), other), 5)
        assert found[users] == pytest.approx(expected)
        assert np.isnan(np.delete(found, users)).all()

    def test_refuses_places_that_are_none(self):
        with pytest.raises(InvalidRequest, match="k = 0"):
            by_item(self.ranking, {}, 0)


class TestAReport:
    def worse(self, n=400, gap=0.3, seed=0):
        rng = np.random.default_rng(seed)
        group = np.arange(n) % 4
        values = rng.normal(0.5, 0.1, n) - gap * (group == 2)
        return by_user(values, {f"group {code}": group == code for code in range(4)})

    def test_has_the_mean_of_each_segment_with_its_interval(self):
        segmented = self.worse()
        found = report(segmented, seed=1)
        for place, segment in enumerate(found.segments):
            column = segmented.values[:, place]
            half = 1.96 * np.nanstd(column) / 10
            assert segment.name == f"group {place}"
            assert segment.users == 100
            assert segment.interval.mean == pytest.approx(np.nanmean(column))
            assert segment.interval.low == pytest.approx(segment.interval.mean - half, abs=half / 4)
            assert segment.interval.high == pytest.approx(
                segment.interval.mean + half, abs=half / 4
            )

    def test_names_the_worst_segment_and_its_gap(self):
        segmented = self.worse()
        found = report(segmented, seed=1)
        assert found.worst == "group 2"
        assert found.gap.mean == pytest.approx(found.overall - np.nanmean(segmented.values[:, 2]))
        assert 0.15 < found.gap.low < 0.225 < found.gap.high < 0.3

    def test_a_gap_that_is_chance_is_rarely_called_certain(self):
        """The worst of ten is picked because it looks bad; its interval allows for that."""
        wrong = 0
        for seed in range(100):
            values = np.random.default_rng(seed).normal(0.5, 0.1, 400)
            masks = {str(code): np.arange(400) % 10 == code for code in range(10)}
            wrong += report(by_user(values, masks), seed=seed, resamples=200).gap.low > 0
        assert wrong <= binom.ppf(0.999, 100, 0.05)

    def test_the_gap_of_overlapping_segments_is_that_of_means_over_all_values(self):
        values = np.random.default_rng(0).random(100)
        masks = {"all": np.ones(100, bool), "some": np.arange(100) < 50}
        segmented = by_user(values, masks)
        found = report(segmented, seed=1)
        assert found.overall == pytest.approx(np.nanmean(segmented.values))
        mean = np.nanmean(segmented.values, axis=0).min()
        assert found.gap.mean == pytest.approx(found.overall - mean)

    def test_leaves_small_segments_unjudged(self):
        values = np.r_[np.zeros(5), np.full(200, 0.5)]
        few = np.arange(205) < 5
        masks = {"few": few, "a": ~few & (np.arange(205) % 2 == 0), "b": np.arange(205) % 2 == 1}
        found = report(by_user(values, masks), seed=1)
        assert found.worst != "few"
        assert found.segments[0].interval.mean == 0.0

    def test_judges_no_gap_between_less_than_two_segments(self):
        found = report(by_user(np.ones(50), {"all": np.ones(50, dtype=bool)}), seed=1)
        assert found.worst is None
        assert found.gap is None

    def test_gives_a_segment_of_one_user_no_interval(self):
        found = report(by_user([1.0, 0.0], {"one": mask(1, 0), "none": mask(0, 0)}), seed=1)
        assert [segment.users for segment in found.segments] == [1, 0]
        assert [segment.interval for segment in found.segments] == [None, None]

    def test_refuses_segments_without_a_value(self):
        with pytest.raises(InvalidRequest, match="no user has a value"):
            report(by_user([1.0], {"a": mask(0)}), seed=1)

    def test_the_same_seed_gives_the_same_report(self):
        assert report(self.worse(), seed=1) == report(self.worse(), seed=1)


class TestTwoModels:
    def test_are_compared_user_by_user(self):
        masks = {"a": mask(1, 1, 0), "b": mask(0, 0, 1)}
        more = by_user([0.5, 0.4, 0.3], masks).minus(by_user([0.2, 0.4, 0.4], masks))
        np.testing.assert_allclose(more.values, [[0.3, np.nan], [0.0, np.nan], [np.nan, -0.1]])

    @pytest.mark.parametrize(
        "other",
        [
            by_user([0.1, 0.2], {"b": mask(1, 0)}),
            by_user([0.1, 0.2], {"a": mask(1, 1)}),
            by_user([0.1], {"a": mask(1)}),
        ],
        ids=["other names", "other members", "other users"],
    )
    def test_of_other_users_or_segments_are_refused(self, other):
        with pytest.raises(InvalidRequest, match="rank both on one fold"):
            by_user([0.1, 0.2], {"a": mask(1, 0)}).minus(other)

    def test_values_need_a_name_for_each_segment(self):
        with pytest.raises(InvalidRequest, match="2 segments"):
            Segmented(("a", "b"), np.zeros((3, 1)))


class TestGroups:
    def test_of_activity_are_about_equally_large(self):
        lengths = np.random.default_rng(0).permutation(np.arange(1, 101))
        groups = activity(lengths, groups=4)
        assert list(groups) == ["1 to 25 items", "26 to 50 items", "51 to 75 items",
                                "76 to 100 items"]  # fmt: skip
        assert [int(users.sum()) for users in groups.values()] == [25] * 4

    def test_of_activity_keep_equally_active_users_together(self):
        groups = activity([1] * 90 + [2] * 5 + [9] * 5)
        assert {name: int(users.sum()) for name, users in groups.items()} == {
            "exactly 1": 90,
            "2 to 9 items": 10,
        }

    def test_of_activity_of_nobody_are_none(self):
        assert activity([]) == {}

    def test_bands_have_their_lower_edge(self):
        found = bands([0, 4.99, 5, 20, 60, np.nan], [5, 20])
        assert {name: np.flatnonzero(items).tolist() for name, items in found.items()} == {
            "below 5": [0, 1],
            "5 to 20": [2],
            "20 and more": [3, 4],
            "unknown": [5],
        }

    def test_bands_that_nothing_is_in_are_left_out(self):
        assert list(bands([1.0, 2.0], [5, 20])) == ["below 5"]

    def test_wrong_numbers_are_refused(self):
        with pytest.raises(InvalidRequest, match="rise strictly"):
            bands([1.0], [5, 5])
        with pytest.raises(InvalidRequest, match="rise strictly"):
            bands([1.0], [])
        with pytest.raises(InvalidRequest, match="0 groups"):
            activity([1], groups=0)
