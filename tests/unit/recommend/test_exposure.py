"""New items get the share of places that is set, and keep their order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from flyball.recommend import Ease, EaseConfig, Interactions
from flyball.recommend.exposure import K, covering_within, taken
from flyball.recommend.newcomers import Newcomers

KNOWN, NEW = 60, 30


@pytest.fixture(scope="module")
def world():
    """New items that are each as alike to a known one as can be, and count double."""
    rng = np.random.default_rng(6)
    table = (rng.random((300, KNOWN)) < np.linspace(0.5, 0.03, KNOWN)).astype(np.float32)
    whole = np.hstack([table, np.zeros((300, NEW), dtype=np.float32)])
    users = np.array([f"u{n:03}" for n in range(300)])
    items = np.array([f"i{n:03}" for n in range(KNOWN + NEW)])
    data = Interactions(users, items, csr_matrix(whole))
    likeness = np.zeros((NEW, KNOWN + NEW), dtype=np.float32)
    likeness[np.arange(NEW), np.arange(NEW)] = 2.0
    newcomers = Newcomers(np.arange(KNOWN, KNOWN + NEW), csr_matrix(likeness))
    return Ease.fit(data, EaseConfig()), newcomers, data


def share_of_new(covering, data):
    scores = covering.predict(data.histories())
    rows = np.repeat(np.arange(len(data.users)), np.diff(data.matrix.indptr))
    scores[rows, data.matrix.indices] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return float((best >= KNOWN).mean())


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_new_items_take_nearly_the_share_that_is_set_and_no_more(world, share):
    model, newcomers, data = world
    found = share_of_new(covering_within(model, newcomers, data.histories(), share), data)
    assert 0.5 * share < found <= share + 0.005


def test_new_items_that_keep_to_it_by_themselves_stay_as_they_are(world):
    model, newcomers, data = world
    covering = covering_within(model, newcomers, data.histories(), 1.0)
    assert covering.newcomers is newcomers


def test_the_order_of_new_items_stays(world):
    model, newcomers, data = world
    free = covering_within(model, newcomers, data.histories(), 1.0).predict(data.histories())
    held = covering_within(model, newcomers, data.histories(), 0.05).predict(data.histories())
    for row in range(0, 300, 37):
        order = np.argsort(-free[row, KNOWN:], kind="stable")
        np.testing.assert_array_equal(order, np.argsort(-held[row, KNOWN:], kind="stable"))


def test_known_items_are_untouched(world):
    model, newcomers, data = world
    held = covering_within(model, newcomers, data.histories(), 0.05).predict(data.histories())
    np.testing.assert_array_equal(held[:, :KNOWN], model.predict(data.histories())[:, :KNOWN])


def test_who_has_no_full_list_of_known_items_loses_nothing_to_a_new_one():
    known = np.array([[5.0, 4.0, 0, 0, 0, 0, 0, 0, 0, 0]], dtype=np.float32)
    new = np.array([[3.0, 2.0]], dtype=np.float32)
    assert taken(known, new, 1.0) == 0.0
    assert taken(known, np.array([[6.0] * 10], dtype=np.float32), 1.0) == pytest.approx(0.2)


def test_nobody_to_show_them_to_takes_no_place():
    assert taken(np.empty((0, 10), np.float32), np.empty((0, 10), np.float32), 1.0) == 0.0
