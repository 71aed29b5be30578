"""How much more batches differ than independent rows would."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.errors import InvalidRequest
from flyball.stats.dispersion import (
    BASE_EFFECT,
    PRIOR_DF,
    cluster_size,
    dispersion,
    effects,
    expected_effect,
    expected_effects,
)


def clustered(rng: np.random.Generator, batches: int, users: int, size: int) -> np.ndarray:
    """Rows by 8 bins; each user has ``size`` rows, all in one bin: a design effect of ``size``."""
    return rng.multinomial(users, np.arange(1, 9) / 36, batches) * size


class TestClusters:
    """How large they are is read off hashed ids, without counting any."""

    @pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
    def test_is_the_mean_size_that_a_row_sees(self, spread: float) -> None:
        """Within three standard errors."""
        rng = np.random.default_rng(5)
        sizes = np.ceil(10 * np.exp(rng.normal(0, spread, 5_000)))
        buckets = np.bincount(rng.integers(0, 64, len(sizes)), weights=sizes, minlength=64)
        exact = (sizes**2).sum() / sizes.sum()
        assert cluster_size(buckets) == pytest.approx(exact, rel=3 * 0.18)

    def test_of_rows_alone_is_one(self) -> None:
        """And so it is where there are no rows at all."""
        rng = np.random.default_rng(6)
        alone = np.bincount(rng.integers(0, 64, 100_000), minlength=64)
        assert cluster_size(alone) == pytest.approx(1.0, rel=0.6)
        assert cluster_size([0, 0, 0]) == 1.0
        assert cluster_size([100] * 64) == 1.0

    def test_of_one_user_is_the_batch(self) -> None:
        """Every row sees all of them."""
        assert cluster_size([0] * 63 + [500]) == pytest.approx(500)

    def test_more_is_expected_of_more_clustered_batches(self) -> None:
        """But never less of a batch than of those before it."""
        assert expected_effect(1.0) == BASE_EFFECT
        assert expected_effect(100.0) > expected_effect(10.0) > BASE_EFFECT
        earlier, alone = expected_effects([50.0, 150.0], 1.0)
        assert earlier.tolist() == pytest.approx([expected_effect(100.0)] * 2)
        assert alone == pytest.approx(expected_effect(100.0))
        assert expected_effects([50.0], 400.0)[1] == expected_effect(400.0)


class TestDispersion:
    """What a history teaches."""

    def test_of_independent_rows_is_one(self) -> None:
        """After enough batches, whatever was expected."""
        table = np.random.default_rng(1).multinomial(5_000, np.arange(1, 9) / 36, 200)
        learnt = dispersion(table, np.full(200, 2.0))
        assert learnt.scale * 2.0 == pytest.approx(1.0, abs=0.1)

    @pytest.mark.parametrize("size", [3, 20])
    def test_of_clustered_rows_is_the_cluster_size(self, size: int) -> None:
        """The rows of each cluster being all alike."""
        table = clustered(np.random.default_rng(2), 200, 500, size)
        learnt = dispersion(table, np.full(200, 2.0))
        assert learnt.scale * 2.0 == pytest.approx(size, rel=0.15)

    def test_of_one_batch_is_what_was_expected(self) -> None:
        """With its uncertainty."""
        learnt = dispersion([[10, 20, 30]], [2.0])
        assert (learnt.scale, learnt.df) == (1.0, PRIOR_DF)

    def test_a_short_history_moves_it_a_little(self) -> None:
        """Two batches pull less than twenty."""
        rng = np.random.default_rng(3)
        table = clustered(rng, 20, 500, 30)[:, :2]
        few, many = (dispersion(table[:k], np.full(k, 2.0)) for k in (2, 20))
        assert few.df < many.df
        assert abs(few.scale - 15) > abs(many.scale - 15)

    def test_differences_along_one_line_have_one_dimension(self) -> None:
        """However many bins they are told in."""
        rng = np.random.default_rng(4)
        swing = rng.normal(0, 0.3, (100, 1))
        shares = np.repeat([[0.1]], 10, axis=1) * (1 + swing * np.repeat([1, -1], 5))
        line = dispersion(np.round(1e6 * shares), np.full(100, 2.0))
        free = dispersion(rng.multinomial(10**6, np.full(10, 0.1), 100), np.full(100, 2.0))
        assert line.dimensions < 1.5
        assert free.dimensions > 7.0

    def test_empty_batches_and_bins_say_nothing(self) -> None:
        """The rest is judged as if they were not there."""
        with_empty = dispersion([[10, 0, 20], [0, 0, 0], [14, 0, 16]], [2.0, 2.0, 2.0])
        assert with_empty == dispersion([[10, 20], [14, 16]], [2.0, 2.0])

    def test_needs_an_effect_for_each_batch(self) -> None:
        """Says which shapes it got."""
        with pytest.raises(InvalidRequest, match=r"\(2, 2\)"):
            dispersion([[1, 2], [3, 4]], [2.0])


class TestEffects:
    """Of one batch."""

    def test_are_at_least_one(self) -> None:
        """Batches never differ less than chance makes them."""
        assert effects([0.1, 1.0, 3.0]).tolist() == [1.0, 1.0, 3.0]

    def test_excess_grows_with_size(self) -> None:
        """What does not come from chance does not shrink with rows; a smaller batch has no less."""
        assert effects([1.0, 3.0], growth=10.0).tolist() == [1.0, 21.0]
        assert effects([3.0], growth=0.1).tolist() == [3.0]
