"""Histories keep what belongs together together, however they are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest
from flyball.recommend import Histories, History

ITEMS = 9
ROWS = st.lists(st.sets(st.integers(0, ITEMS - 1)), min_size=1, max_size=7)


def of(rows):
    """Each cell has hours and a day that say where it stands."""
    return Histories.of(
        [
            History(
                np.array(sorted(items), dtype=np.int64),
                np.array([10 * row + item for item in sorted(items)], dtype=np.float32),
                np.array([100 * row + item for item in sorted(items)], dtype=np.float32),
                as_of=float(row),
            )
            for row, items in enumerate(rows)
        ],
        ITEMS,
    )


def cells(history):
    return dict(zip(history.items.tolist(), history.hours.tolist(), strict=True))


@given(ROWS)
def test_one_of_many_is_the_one_that_went_in(rows):
    histories = of(rows)
    assert histories.lengths.tolist() == [len(items) for items in rows]
    for row, items in enumerate(rows):
        one = histories.one(row)
        assert cells(one) == {item: 10.0 * row + item for item in items}
        assert one.days.tolist() == [100.0 * row + item for item in sorted(items)]
        assert one.as_of == row


@given(ROWS, st.data())
def test_some_of_many_come_in_the_order_asked_for(rows, data):
    asked = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9))
    some = of(rows)[np.array(asked, dtype=np.int64)]
    assert len(some) == len(asked)
    for place, row in enumerate(asked):
        assert cells(some.one(place)) == cells(of(rows).one(row))
        assert some.one(place).as_of == row


@given(ROWS, st.integers(0, 8), st.integers(0, 8))
def test_a_slice_is_the_rows_it_names(rows, start, stop):
    part = of(rows)[start:stop]
    wanted = list(range(len(rows)))[start:stop]
    assert [cells(part.one(n)) for n in range(len(part))] == [
        cells(of(rows).one(n)) for n in wanted
    ]


@given(ROWS, st.data())
def test_dropping_cells_drops_their_hours_and_days(rows, data):
    histories = of(rows)
    kept = data.draw(
        st.lists(st.booleans(), min_size=histories.matrix.nnz, max_size=histories.matrix.nnz)
    )
    left = histories.kept(np.array(kept, dtype=np.bool_))
    flags = iter(kept)
    for row, items in enumerate(rows):
        expected = {item: 10.0 * row + item for item in sorted(items) if next(flags)}
        assert cells(left.one(row)) == expected


def test_items_in_any_order_become_sorted_with_their_hours():
    jumbled = History(np.array([7, 2, 5]), np.array([0.7, 0.2, 0.5], dtype=np.float32))
    one = Histories.of([jumbled], ITEMS).one(0)
    assert one.items.tolist() == [2, 5, 7]
    np.testing.assert_allclose(one.hours, [0.2, 0.5, 0.7])


def test_hours_that_one_history_lacks_are_known_of_none():
    known = History(np.array([1]), np.array([2.0], dtype=np.float32))
    assert Histories.of([known, History(np.array([3]))], ITEMS).hours is None


def test_without_a_place_the_rest_stays():
    history = of([{1, 4, 6}]).one(0).without(1)
    assert cells(history) == {1: 1.0, 6: 6.0}


@pytest.mark.parametrize("name", ["hours", "days", "as_of"])
def test_parts_that_do_not_fit_are_refused(name):
    matrix = csr_matrix(np.ones((2, 3), dtype=np.float32))
    with pytest.raises(InvalidRequest, match=name):
        Histories(matrix, **{name: np.zeros(5, dtype=np.float32)})
