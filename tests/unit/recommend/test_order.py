"""Asked whether order means anything, the test is rarely wrong, whichever it is."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import binom

from flyball.errors import InvalidRequest
from flyball.recommend import Interactions
from flyball.recommend.order import order_test


def interactions(sequences, days=None):
    """From one list of items for each user; by default, one event a day."""
    rows = [(user, item) for user, items in enumerate(sequences) for item in items]
    when = [day for items in sequences for day in range(len(items))] if days is None else days
    users, items = zip(*rows, strict=True)
    return Interactions.from_frame(
        pl.DataFrame({"user_id": users, "item_id": items, "day": [float(day) for day in when]})
    )


def orderless(seed, n_users=80, n_items=40):
    """Users with tastes and popular items, whose order is a fair draw; many events share a day."""
    rng = np.random.default_rng(seed)
    popular = 1 / np.arange(1, n_items + 1)
    sequences, days = [], []
    for _ in range(n_users):
        taste = popular * np.exp(2 * rng.standard_normal(4))[np.arange(n_items) % 4]
        size = rng.integers(2, 10)
        chosen = rng.choice(n_items, size, replace=False, p=taste / taste.sum())
        sequences.append(rng.permutation(chosen))  # choice draws the popular ones first
        days.extend(np.sort(rng.integers(0, 10, size)))
    return interactions(sequences, days)


def markov(seed, follows, n_users=400, n_items=100, length=8):
    """Each item leads to one other with probability ``follows``; else any popular one comes."""
    rng = np.random.default_rng(seed)
    popular = 1 / np.arange(1, n_items + 1)
    popular /= popular.sum()
    leads_to = rng.permutation(n_items)
    sequences = []
    for _ in range(n_users):
        items = [int(rng.choice(n_items, p=popular))]
        while len(items) < length:
            follower = leads_to[items[-1]]
            led = rng.random() < follows and follower not in items
            after = int(follower if led else rng.choice(n_items, p=popular))
            if after not in items:
                items.append(after)
        sequences.append(items)
    return interactions(sequences)


@pytest.mark.xdist_group("worlds without order")
class TestWithoutOrder:
    """300 worlds; an honest test fails these once in thousands of times."""

    @pytest.fixture(scope="class")
    @classmethod
    def p_values(cls):
        tests = [order_test(orderless(seed), seed=seed, permutations=19) for seed in range(300)]
        return np.array([test.p_value for test in tests])

    def test_a_false_alarm_is_as_rare_as_the_level_says(self, p_values):
        assert 0 < np.sum(p_values <= 0.05) <= binom.ppf(0.9999, 300, 0.05)

    def test_p_values_are_spread_evenly(self, p_values):
        low, high = binom.ppf([0.0005, 0.9995], 300, 0.5)
        assert low <= np.sum(p_values <= 0.5) <= high


def test_order_is_found_where_one_item_in_ten_leads_to_the_next():
    found = [order_test(markov(seed, 0.1), seed=seed, permutations=99) for seed in range(10)]
    assert all(test.p_value <= 0.05 for test in found)


def test_the_gain_grows_with_the_structure():
    gains = [order_test(markov(1, follows), seed=1).gain for follows in (0.0, 0.2, 0.6)]
    assert abs(gains[0]) < 0.05 < gains[1] < gains[2]


def test_shuffling_each_users_days_takes_the_order_away():
    data = markov(3, 0.5)
    rng = np.random.default_rng(0)
    lengths = np.diff(data.matrix.indptr)
    days = np.concatenate([rng.permutation(n) for n in lengths]).astype(np.float32)
    shuffled = Interactions(data.users, data.items, data.matrix, days=days)
    assert order_test(data, seed=1).p_value == pytest.approx(1 / 200)
    assert order_test(shuffled, seed=1).p_value > 0.05


def test_events_of_one_day_have_no_order():
    """Whatever order they stand in: the ids of items must not pass for time."""
    data = markov(3, 0.5)
    one_day = Interactions(
        data.users, data.items, data.matrix, days=np.zeros(data.matrix.nnz, dtype=np.float32)
    )
    test = order_test(one_day, seed=1)
    assert test.p_value > 0.05
    assert abs(test.gain) < 4 * test.deviation


def test_a_changing_fashion_counts_as_order():
    """As the docstring says: what is bought next then depends on when the last was bought."""
    rng = np.random.default_rng(0)
    sequences = []
    for _ in range(400):
        times = np.sort(rng.random(8))
        items = dict.fromkeys(int(t * 200 + rng.exponential(20)) % 200 for t in times)
        sequences.append(list(items))
    assert order_test(interactions(sequences), seed=1).p_value < 0.01


def test_the_same_seed_gives_the_same_answer():
    data = orderless(1)
    assert order_test(data, seed=4) == order_test(data, seed=4)
    assert order_test(data, seed=4) != order_test(data, seed=5)


def test_counts_what_it_looked_at():
    data = interactions([[0, 1, 2]] * 40 + [[0]] * 10)
    test = order_test(data, seed=1)
    assert (test.users, test.steps, test.permutations) == (40, 80, 199)


def test_looks_at_no_more_rows_than_told():
    data = markov(1, 0.5)
    test = order_test(data, seed=1, max_rows=800)
    assert test.users == 100  # of 8 events each
    assert test.p_value == pytest.approx(1 / 200)


def test_one_user_with_a_long_history_does_not_outweigh_the_rest():
    data = interactions([*([[0, 1, 2]] * 40), list(range(5000))])
    assert order_test(data, seed=1).steps == 80 + 199


def test_millions_of_rows_take_seconds():
    rng = np.random.default_rng(0)
    n_users, length = 300_000, 10
    indices = np.sort(rng.integers(0, 2000, (n_users, length), dtype=np.int32) * length)
    indices += np.arange(length, dtype=np.int32)  # distinct and rising
    ends = np.arange(n_users + 1) * length
    matrix = csr_matrix(
        (np.ones(indices.size, dtype=np.float32), indices.ravel(), ends),
        shape=(n_users, 2000 * length),
    )
    days = rng.random(indices.size).astype(np.float32)
    users, items = (np.arange(n).astype(str) for n in matrix.shape)
    data = Interactions(users, items, matrix, days=days)
    started = time.process_time()
    test = order_test(data, seed=1)
    assert time.process_time() - started < 15
    assert test.p_value > 0.001


@pytest.mark.parametrize(
    "data",
    [
        Interactions(
            np.array(["u"]), np.array(["a", "b"]), csr_matrix(np.ones((1, 2), np.float32))
        ),
        interactions([[0, 1]] * 10),
        interactions([[n] for n in range(200)]),
    ],
    ids=["no days", "few steps", "one item each"],
)
def test_nothing_is_told_of_data_that_cannot_tell(data):
    assert order_test(data, seed=1) is None


@pytest.mark.parametrize("wrong", [{"permutations": 18}, {"max_rows": 0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(InvalidRequest, match="at least"):
        order_test(orderless(1), seed=1, **wrong)
