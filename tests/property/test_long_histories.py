"""A player may have any number of games: the answer is the same sum, and soon there."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from flyball import plugins
from flyball.recommend.histories import History
from flyball.recommend.interactions import Interactions
from flyball.recommend.sparse_weights import SparseWeights
from flyball.recommend.weights import DenseWeights

N = 150


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    density=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    length=st.integers(0, N),
)
def test_sparse_weights_say_of_an_item_what_dense_ones_do(seed, density, length):
    """However many items are asked about at once, in any order."""
    rng = np.random.default_rng(seed)
    matrix = csr_matrix(random_array((N, N), density=density, rng=rng, dtype=np.float32))
    matrix.sort_indices()
    items = rng.permutation(N)[:length].astype(np.int32)
    sparse, dense = SparseWeights.of(matrix), DenseWeights(matrix.toarray())
    columns = np.array([0, N // 2, N - 1])
    np.testing.assert_array_equal(sparse.cells(items, columns), dense.cells(items, columns))


GAMES, LEFT = 2000, 5
SECONDS = 1.0


@pytest.fixture(scope="module")
def collected():
    """Many players of few games each, and one who has nearly all there are."""
    rng = np.random.default_rng(3)
    pairs = [
        (f"player-{player:03}", f"game-{game:04}")
        for player in range(400)
        for game in np.unique((rng.pareto(1.0, 10) * 20).astype(int) % GAMES)
    ]
    pairs += [("collector", f"game-{game:04}") for game in range(LEFT, GAMES)]
    pairs += [("last", f"game-{game:04}") for game in range(LEFT)]  # somebody has them all
    frame = pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row")
    days = pl.Series("day", rng.integers(0, 300, len(pairs)).astype(float))
    return Interactions.from_frame(frame.with_columns(days))


@pytest.mark.parametrize(
    "family", ["popularity", "item_knn", "rp3beta", "markov", "trending", "sparse_ease", "als"]
)
def test_a_collector_of_nearly_all_games_is_answered_at_once(family, collected):
    """Ten answers with their reasons; processor time, so that a busy machine does not count."""
    model = plugins.model(family)
    fitted = model.fit(collected, model.Config())
    row = int(np.flatnonzero(collected.users == "collector")[0])
    matrix = collected.matrix
    cells = slice(matrix.indptr[row], matrix.indptr[row + 1])
    history = History(matrix.indices[cells], days=collected.days[cells])
    began = time.process_time()
    scores = fitted.score(history)
    terms = fitted.terms(history, np.arange(10))
    assert time.process_time() - began < SECONDS
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(terms.sums, scores[:10], rtol=1e-3, atol=1e-4)
