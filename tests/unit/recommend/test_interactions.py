"""What the interaction matrix promises to everyone who reads it."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest, TrainingError
from flyball.recommend import Interactions


def frame(*pairs, **columns):
    users, items = zip(*pairs, strict=True)
    return pl.DataFrame({"user_id": users, "item_id": items, **columns})


class TestInteractionsFromAFrame:
    def test_have_sorted_ids_and_a_one_for_each_pair(self):
        data = Interactions.from_frame(frame(("u2", "b"), ("u10", "a"), ("u2", "a")))
        assert data.users.tolist() == ["u10", "u2"]
        assert data.items.tolist() == ["a", "b"]
        assert data.matrix.toarray().tolist() == [[1, 0], [1, 1]]
        assert data.matrix.dtype == np.float32

    def test_count_a_repeated_pair_once(self):
        data = Interactions.from_frame(frame(("u", "a"), ("u", "a"), ("u", "b")))
        assert data.matrix.toarray().tolist() == [[1, 1]]

    def test_are_binary_whatever_the_hours(self):
        data = Interactions.from_frame(frame(("u", "a"), ("v", "a"), hours=[0.1, 44.0]))
        assert data.matrix.data.tolist() == [1, 1]

    def test_of_one_pair_add_their_hours_and_begin_on_the_first_day(self):
        days = [date(2020, 1, 3), date(2020, 1, 1), date(2020, 1, 2)]
        rows = (("u", "b"), ("u", "b"), ("u", "a"))
        data = Interactions.from_frame(frame(*rows, hours=[2.0, 1.5, None], day=days))
        assert data.matrix.toarray().tolist() == [[1, 1]]
        np.testing.assert_array_equal(data.hours, np.array([np.nan, 3.5], dtype=np.float32))
        epoch = date(1970, 1, 1)
        assert data.days.tolist() == [(days[2] - epoch).days, (days[1] - epoch).days]

    def test_take_ids_of_any_type_as_text(self):
        data = Interactions.from_frame(frame((7, "a"), (10, "b")))
        assert data.users.tolist() == ["10", "7"]
        assert data.matrix.toarray().tolist() == [[0, 1], [1, 0]]

    def test_do_not_depend_on_the_order_of_rows(self):
        rows = [(f"u{n % 7}", f"i{n * n % 11}") for n in range(60)]
        one, other = (
            Interactions.from_frame(frame(*rows)),
            Interactions.from_frame(frame(*rows[::-1])),
        )
        assert (one.matrix != other.matrix).nnz == 0
        assert one.matrix.indices.tobytes() == other.matrix.indices.tobytes()


class TestUnusableData:
    """Refused with the reason, before any model sees it."""

    def test_a_missing_column_is_named(self):
        with pytest.raises(TrainingError, match=r"lack item_id.*columns: user_id, title"):
            Interactions.from_frame(pl.DataFrame({"user_id": ["u"], "title": ["a"]}))

    def test_a_null_id_is_counted(self):
        with pytest.raises(TrainingError, match="1 of 2 rows have no item_id"):
            Interactions.from_frame(frame(("u", "a"), ("u", None)))

    @pytest.mark.parametrize("hours", [-1.0, float("nan"), float("inf"), None])
    def test_hours_that_are_no_hours_are_not_known(self, hours):
        data = Interactions.from_frame(frame(("u", "a"), ("u", "b"), hours=[1.0, hours]))
        np.testing.assert_array_equal(data.hours, np.array([1.0, np.nan], dtype=np.float32))

    def test_hours_that_are_text_are_refused(self):
        with pytest.raises(TrainingError, match="not numbers"):
            Interactions.from_frame(frame(("u", "a"), hours=["much"]))

    def test_days_that_are_text_are_refused(self):
        with pytest.raises(TrainingError, match="not a date"):
            Interactions.from_frame(frame(("u", "a"), day=["once"]))

    def test_days_that_one_row_lacks_are_not_known(self):
        data = Interactions.from_frame(frame(("u", "a"), ("u", "b"), day=[date(2020, 1, 1), None]))
        assert data.days is None

    def test_an_empty_frame_cannot_be_trained_on(self):
        empty = pl.DataFrame(schema={"user_id": pl.String, "item_id": pl.String})
        with pytest.raises(TrainingError, match="no interactions"):
            Interactions.from_frame(empty).require_trainable()

    def test_a_value_that_is_not_finite_cannot_be_trained_on(self):
        matrix = csr_matrix(np.array([[1, np.nan]], dtype=np.float32))
        data = Interactions(np.array(["u"]), np.array(["a", "b"]), matrix)
        with pytest.raises(TrainingError, match="1 of 2 interactions are not finite"):
            data.require_trainable()

    def test_ids_that_do_not_fit_the_matrix_are_refused(self):
        with pytest.raises(InvalidRequest, match="does not fit"):
            Interactions(np.array(["u"]), np.array(["a"]), csr_matrix((1, 2), dtype=np.float32))
