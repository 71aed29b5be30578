"""Diversity re-ranking: one knob between the best list and the most various one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest
from flyball.recommend.rerank import rerank

KNOBS = st.floats(0.0, 1.0)


def diversity_of(rows: np.ndarray) -> float:
    """Mean pairwise cosine distance."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    n = len(rows)
    return float(1 - ((unit @ unit.T).sum() - n) / (n * (n - 1)))


def a_case(seed: int, n: int = 40, dims: int = 6):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(200, dims)).astype(np.float32)
    candidates = rng.choice(200, n, replace=False)
    relevance = np.sort(rng.random(n))[::-1]
    return candidates, relevance, features


def by_hand(candidates, relevance, features, k, knob):
    """The formula, one candidate at a time."""
    unit = features[candidates].astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    chosen = [0]
    while len(chosen) < min(k, len(candidates)):
        left = [i for i in range(len(candidates)) if i not in chosen]
        worth = [
            (1 - knob) * relevance[i] / relevance[0] - knob * max(unit[i] @ unit[j] for j in chosen)
            for i in left
        ]
        chosen.append(left[int(np.argmax(worth))])
    return candidates[chosen].tolist()


class TestTheKnob:
    """From 0, relevance alone, to 1, diversity first."""

    @given(seed=st.integers(0, 1000), k=st.integers(0, 60))
    def test_at_nought_changes_nothing(self, seed, k):
        candidates, relevance, features = a_case(seed)
        found = rerank(candidates, relevance, features, k=k, diversity=0.0)
        assert found.tolist() == candidates[:k].tolist()

    @given(seed=st.integers(0, 1000), knob=st.floats(0.01, 1.0))
    @settings(max_examples=50, deadline=None)
    def test_gives_the_list_of_the_formula(self, seed, knob):
        case = a_case(seed)
        found = rerank(*case, k=10, diversity=knob)
        assert found.tolist() == by_hand(*case, 10, knob)

    def test_makes_lists_more_various_the_further_it_is_turned(self):
        """On average: a single greedy list may fall back a little. From 0.8 on little is left."""
        knobs = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
        means = []
        for knob in knobs:
            cases = [a_case(seed) for seed in range(60)]
            lists = [rerank(*case, k=8, diversity=knob) for case in cases]
            various = [diversity_of(c[2][found]) for c, found in zip(cases, lists, strict=True)]
            means.append(np.mean(various))
        assert (np.diff(means[:5]) > 0.01).all()
        assert means[5] > means[4] - 0.01

    def test_at_one_takes_nothing_twice_alike_while_there_is_other(self):
        features = np.eye(4, dtype=np.float32)[[0, 0, 0, 1, 2, 2, 3]]
        found = rerank(np.arange(7), np.linspace(1, 0.1, 7), features, k=4, diversity=1.0)
        assert found.tolist() == [0, 3, 4, 6]


class TestEveryList:
    """Whatever the knob."""

    @given(seed=st.integers(0, 1000), k=st.integers(0, 60), knob=KNOBS, sparse=st.booleans())
    @settings(max_examples=60, deadline=None)
    def test_has_as_many_candidates_as_asked_each_once_and_the_best_first(
        self, seed, k, knob, sparse
    ):
        candidates, relevance, features = a_case(seed)
        features[seed % 200] = 0.0
        given_features = csr_matrix(features) if sparse else features
        found = rerank(candidates, relevance, given_features, k=k, diversity=knob)
        assert len(found) == len(set(found.tolist())) == min(k, 40)
        assert set(found.tolist()) <= set(candidates.tolist())
        assert found[:1].tolist() == candidates[: min(k, 1)].tolist()

    @given(seed=st.integers(0, 100), knob=KNOBS)
    @settings(max_examples=30, deadline=None)
    def test_is_the_same_of_sparse_features_and_of_rows_of_other_lengths(self, seed, knob):
        candidates, relevance, features = a_case(seed)
        plain = rerank(candidates, relevance, features, k=8, diversity=knob)
        sparse = rerank(candidates, relevance, csr_matrix(features), k=8, diversity=knob)
        longer = rerank(candidates, relevance, features * np.float32(4.0), k=8, diversity=knob)
        assert plain.tolist() == sparse.tolist() == longer.tolist()

    def test_of_candidates_all_alike_is_the_plain_list(self):
        features = np.ones((5, 3), dtype=np.float32)
        for knob in (0.3, 1.0):
            found = rerank(np.array([4, 2, 0, 1]), np.full(4, 0.5), features, k=3, diversity=knob)
            assert found.tolist() == [4, 2, 0]

    def test_does_not_favour_items_without_a_description(self):
        """Unlike nobody one knows is not the same as unlike everybody."""
        features = np.array([[1, 0.2], [1, 0.1], [0.2, 1], [0, 0]], dtype=np.float32)
        found = rerank(np.arange(4), np.full(4, 0.5), features, k=2, diversity=0.9)
        assert found.tolist() == [0, 2]

    def test_of_items_none_of_which_is_described_is_the_plain_list(self):
        found = rerank(np.arange(4), np.full(4, 0.5), np.zeros((4, 2), "f4"), k=3, diversity=0.9)
        assert found.tolist() == [0, 1, 2]

    def test_of_relevance_nought_is_ranked_by_diversity(self):
        features = np.eye(2, dtype=np.float32)[[0, 0, 1]]
        found = rerank(np.arange(3), np.zeros(3), features, k=2, diversity=0.5)
        assert found.tolist() == [0, 2]

    def test_of_no_candidate_is_empty(self):
        found = rerank(
            np.array([], dtype=int), np.array([]), np.ones((3, 2), "f4"), k=5, diversity=1
        )
        assert found.tolist() == []


@pytest.mark.parametrize("knob", [-0.1, 1.1, float("nan")])
def test_a_knob_beyond_its_ends_is_refused(knob):
    with pytest.raises(InvalidRequest, match="diversity"):
        rerank(np.arange(3), np.ones(3), np.ones((3, 2), "f4"), k=2, diversity=knob)


def test_relevance_of_other_candidates_is_refused():
    with pytest.raises(InvalidRequest, match="one for each"):
        rerank(np.arange(3), np.ones(2), np.ones((3, 2), "f4"), k=2, diversity=0.5)
