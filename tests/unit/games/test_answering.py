"""The quick way to the best games is the long way's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.games.reasons import Sums, whys
from flyball.games.top import top
from flyball.recommend.protocols import Terms


@given(
    n=st.sampled_from([1, 2, 9, 300, 600, 2000, 5155]),
    k=st.integers(1, 700),
    kinds=st.sampled_from([1, 2, 5, 100_000]),
    masked=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_the_best_are_those_of_a_full_sort(n, k, kinds, masked, seed):
    """With many equal scores, -0.0 beside 0.0, and masks; places of equals by fame."""
    rng = np.random.default_rng(seed)
    scores = (rng.integers(-kinds, kinds, n) * 0.25).astype(np.float32)
    scores[rng.random(n) < 0.2] = -0.0
    scores[rng.random(n) < masked] = -np.inf
    fame = rng.permutation(n)
    order = np.lexsort((fame, -scores))
    expected = order[scores[order] > -np.inf][:k]
    assert top(scores, k, fame).tolist() == expected.tolist()


@given(
    terms=st.lists(
        st.lists(st.floats(-10, 10, width=32), min_size=4, max_size=4), min_size=1, max_size=5
    ),
    base=st.floats(-5, 5, width=32),
)
def test_shares_and_rest_add_up_to_one_or_nothing_speaks_for_the_game(terms, base):
    bases = np.full(len(terms), base, dtype=np.float32)
    found = Terms(np.array(terms, dtype=np.float32), bases)
    [reasons] = whys([Sums(found, np.arange(4))], "abcd".__getitem__)
    for each, why in zip(terms, reasons, strict=True):
        whole = sum(reason.share for reason in why.reasons) + why.rest
        positive = [term for term in [*each, base] if term > 0]
        assert whole == pytest.approx(1.0 if positive else 0.0)
        assert all(0 < reason.share <= 1 for reason in why.reasons)
        assert len(why.reasons) == min(3, len(positive))
        assert 0 <= why.rest <= 1
