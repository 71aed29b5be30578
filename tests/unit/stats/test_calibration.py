"""Tests of a batch against earlier ones, compared with scipy's own where those hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from flyball.errors import InvalidRequest
from flyball.stats.calibration import (
    Tail,
    alarms,
    binomial_excess,
    histogram_shift,
    level_shift,
    share_shift,
)

SHARES = np.array([0.4, 0.3, 0.2, 0.1])


def independent(batches: int, rows: int, seed: int = 7) -> np.ndarray:
    """Histograms of independent rows: the long history teaches that there are no clusters."""
    return np.random.default_rng(seed).multinomial(rows, SHARES, batches)


class TestAHistogram:
    """Against those of earlier batches."""

    @pytest.mark.parametrize("moved", [0, 20, 40, 60, 80])
    def test_after_a_long_history_is_judged_as_by_scipy(self, moved: int) -> None:
        """Pearson's test of homogeneity, if rows are independent."""
        history = independent(2_000, 1_000)
        current = np.array([400 - moved, 300, 200, 100 + moved])
        shift = histogram_shift(history, current, np.ones(2_000), 1.0)
        pooled = np.vstack([history.sum(axis=0), current])
        expected = stats.chi2_contingency(pooled, correction=False).pvalue
        assert shift is not None
        assert np.log10(shift.p_value + 1e-30) == pytest.approx(
            np.log10(expected), abs=0.5, rel=0.2
        )

    def test_after_one_batch_only_large_differences_count(self) -> None:
        """Nobody knows yet how much batches differ."""
        small = histogram_shift([[400, 300, 200, 100]], [360, 300, 200, 140], [1.0], 1.0)
        large = histogram_shift([[400, 300, 200, 100]], [0, 0, 200, 800], [1.0], 1.0)
        assert small is not None
        assert large is not None
        assert small.p_value > 0.05
        assert large.p_value < 1e-4

    def test_a_history_that_differs_allows_differences(self) -> None:
        """The same batch, by two histories."""
        calm = independent(10, 1_000)
        restless = np.array([np.random.default_rng(i).multinomial(25, SHARES) * 40
                             for i in range(10)])  # fmt: skip
        current = [330, 300, 200, 170]
        p_values = [
            shift.p_value
            for shift in (histogram_shift(h, current, np.ones(10), 1.0) for h in (calm, restless))
            if shift
        ]
        assert p_values[0] < 1e-3 < 0.1 < p_values[1]

    def test_a_bin_that_was_always_empty_counts(self) -> None:
        """A new category, a new hour."""
        history = np.column_stack([independent(10, 1_000), np.zeros(10)])
        shift = histogram_shift(history, [330, 250, 170, 90, 160], np.ones(10), 1.0)
        assert shift is not None
        assert shift.p_value < 1e-4
        assert shift.distance == pytest.approx(0.16, abs=0.02)

    def test_with_one_bin_nothing_can_be_told(self) -> None:
        """Nor without rows."""
        assert histogram_shift([[10, 0]], [10, 0], [1.0], 1.0) is None
        assert histogram_shift([[10, 5]], [0, 0], [1.0], 1.0) is None
        assert histogram_shift([[0, 0]], [10, 5], [1.0], 1.0) is None

    def test_refuses_other_bins(self) -> None:
        """And says which."""
        with pytest.raises(InvalidRequest, match="same bins"):
            histogram_shift([[1, 2, 3]], [1, 2], [1.0], 1.0)


class TestAShare:
    """Of rows with a trait."""

    @pytest.mark.parametrize(("share", "hits"), [(0.01, 22), (0.01, 30), (0.2, 230), (0.5, 550)])
    def test_after_a_long_history_is_judged_as_by_scipy(self, share: float, hits: int) -> None:
        """The exact binomial test, if rows are independent."""
        rng = np.random.default_rng(8)
        history = [(float(x), 1_000.0) for x in rng.binomial(1_000, share, 2_000)]
        p_value = share_shift(history, (hits, 1_000), np.ones(2_000), 1.0)
        exact = stats.binomtest(hits, 1_000, share, "greater").pvalue
        assert np.log10(p_value) == pytest.approx(np.log10(exact), rel=0.15)

    def test_both_sides_are_mirrored(self) -> None:
        """Many without a trait are few with it."""
        history = [(200.0, 1_000.0), (220.0, 1_000.0), (190.0, 1_000.0)]
        without = [(n - x, n) for x, n in history]
        clusters = np.ones(3)
        upper = share_shift(history, (300, 1_000), clusters, 1.0, tail=Tail.UPPER)
        lower = share_shift(without, (700, 1_000), clusters, 1.0, tail=Tail.LOWER)
        both = share_shift(without, (700, 1_000), clusters, 1.0, tail=Tail.BOTH)
        assert upper == pytest.approx(lower)
        assert both == pytest.approx(2 * lower)
        assert share_shift(history, (300, 1_000), clusters, 1.0, tail=Tail.LOWER) > 0.9

    def test_never_seen_before_is_no_proof_at_once(self) -> None:
        """One row of 5,000 may be the first of a rare kind; fifty are not."""
        history = [(0.0, 5_000.0)] * 10
        p_values = [share_shift(history, (x, 5_000), np.ones(10), 1.0) for x in (0, 1, 50)]
        assert p_values[0] == pytest.approx(1.0)
        assert p_values[1] > 0.01
        assert p_values[2] < 1e-5

    def test_of_clustered_rows_needs_more(self) -> None:
        """Fifty rows of one user are one user."""
        history = [(0.0, 5_000.0)] * 10
        alone = share_shift(history, (50, 5_000), np.ones(10), 1.0)
        together = share_shift(history, (50, 5_000), np.full(10, 300.0), 300.0)
        assert together > 100 * alone

    def test_without_rows_is_nothing_unusual(self) -> None:
        """There is no evidence."""
        assert share_shift([(1, 10)], (0, 0), [1.0], 1.0) == 1.0
        assert share_shift([(0, 0)], (1, 10), [1.0], 1.0) == 1.0


class TestALevel:
    """Of one number a batch."""

    def test_is_students_prediction(self) -> None:
        """If the prior weighs nothing: the two-sample t-test of one against the history."""
        history = np.random.default_rng(9).normal(5, 2, 12)
        p_value = level_shift(history, 9.0, noise=0.0, prior_deviation=1.0, prior_df=1e-9)
        assert p_value == pytest.approx(stats.ttest_ind(history, [9.0]).pvalue)

    def test_equal_batches_do_not_make_every_other_abnormal(self) -> None:
        """A tenth more rows than ten times the same number."""
        levels = [np.log(5_000)] * 10
        assert level_shift(levels, np.log(5_500), noise=0.01, prior_deviation=0.2) > 0.1
        assert level_shift(levels, np.log(500), noise=0.01, prior_deviation=0.2) < 1e-6

    def test_chance_is_the_least_there_is(self) -> None:
        """A batch of ten rows may as well have fifteen."""
        levels = [np.log(10)] * 30
        chance = level_shift(levels, np.log(15), noise=1 / np.sqrt(10), prior_deviation=0.01)
        assert chance > 0.1

    def test_tails_add_up(self) -> None:
        """Upper and lower are the two halves."""
        of = {t: level_shift([1.0, 2.0], 3.0, noise=0.1, prior_deviation=0.5, tail=t) for t in Tail}
        assert of[Tail.UPPER] + of[Tail.LOWER] == pytest.approx(1.0)
        assert of[Tail.BOTH] == pytest.approx(2 * of[Tail.UPPER])

    def test_needs_a_history(self) -> None:
        """At least one batch."""
        with pytest.raises(InvalidRequest, match="earlier batch"):
            level_shift([], 1.0, noise=0.1, prior_deviation=0.1)


class TestAlarms:
    """Of many measures together."""

    def test_each_later_one_may_be_less_unlikely(self) -> None:
        """Holm's own order: 0.05 / 4, / 3, / 2, / 1."""
        assert alarms([0.01, 0.04, 0.03, 0.005], 0.05) == [True, False, False, True]
        assert alarms([0.012, 0.016, 0.024, 0.049], 0.05) == [True] * 4

    def test_none_of_none(self) -> None:
        """And none where nothing is unlikely."""
        assert alarms([], 0.01) == []
        assert alarms([0.011], 0.01) == [False]

    @pytest.mark.parametrize("measures", [1, 5, 40])
    def test_share_the_rate_also_where_they_depend(self, measures: int) -> None:
        """Independent, and all the same: neither raises more than promised."""
        rng = np.random.default_rng(10)
        for draws in (rng.random((4_000, measures)), np.tile(rng.random((4_000, 1)), measures)):
            raised = sum(any(alarms(list(row), 0.05)) for row in draws)
            assert stats.binomtest(raised, 4_000, 0.05, "greater").pvalue > 1e-3


@pytest.mark.parametrize(("hits", "trials", "share"), [(0, 9, 0.2), (3, 9, 0.2), (40, 900, 0.01)])
def test_an_excess_of_hits_is_scipys_binomial_tail(hits: int, trials: int, share: float) -> None:
    """Exactly."""
    expected = stats.binom.sf(hits - 1, trials, share)
    assert binomial_excess(hits, trials, share) == pytest.approx(expected)
