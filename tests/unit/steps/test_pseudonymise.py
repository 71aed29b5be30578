"""No name of a person is left in a personal column, and the same person stays the same."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from flyball.domain.privacy import Pseudonyms
from flyball.errors import ConfigurationError
from flyball.steps.pseudonymise import Pseudonymiser

PSEUDONYMS = Pseudonyms(b"k" * 32)


@pytest.fixture
def hide():
    return Pseudonymiser(PSEUDONYMS, ["user_id", "friend"])


def expected(values: list[str | None]) -> list[str | None]:
    return [None if value is None else PSEUDONYMS.of(value) for value in values]


def test_each_value_becomes_its_pseudonym_in_place(hide):
    values = ["ada", "bob", None, "ada", "", "Zoë \N{VIDEO GAME}"]
    frame = pl.DataFrame({"n": range(6), "user_id": values, "title": values})
    hidden = hide.apply(frame)
    assert hidden["user_id"].to_list() == expected(values)
    assert_frame_equal(hidden.drop("user_id"), frame.drop("user_id"))
    assert hidden.schema == frame.schema


def test_all_named_columns_are_hidden_with_the_same_pseudonyms(hide):
    hidden = hide.apply(pl.DataFrame({"user_id": ["ada"], "friend": ["ada"]}))
    assert hidden["user_id"].to_list() == hidden["friend"].to_list() == expected(["ada"])


def test_a_later_chunk_gives_the_same_people_the_same_pseudonyms(hide):
    first = hide.apply(pl.DataFrame({"user_id": ["ada", "bob"]}))
    later = hide.apply(pl.DataFrame({"user_id": ["bob", "cy", "ada"]}))
    assert later["user_id"].to_list() == expected(["bob", "cy", "ada"])
    assert first["user_id"].to_list() == expected(["ada", "bob"])


def test_more_people_than_are_remembered_are_hidden_all_the_same():
    hide = Pseudonymiser(PSEUDONYMS, ["user_id"], remembered=7)
    for start in (0, 5, 0, 20, 3):
        values = [f"player-{n}" for n in range(start, start + 20)]
        hidden = hide.apply(pl.DataFrame({"user_id": values}))
        assert hidden["user_id"].to_list() == expected(values)
        assert hide._known.height <= 7


class Clumsy(Pseudonymiser):
    def hashes(self, values: pl.Series) -> pl.Series:
        return pl.Series([7] * len(values), dtype=pl.UInt64)


def test_values_whose_hashes_collide_are_told_apart():
    """A value is found by its hash, and compared: equal hashes must not make two people one."""
    hide = Clumsy(PSEUDONYMS, ["user_id"])
    for values in (["ada", "bob"], ["bob", "cy"], ["ada", "cy", "bob", None]):
        hidden = hide.apply(pl.DataFrame({"user_id": values}))
        assert hidden["user_id"].to_list() == expected(values)


def test_a_frame_without_the_columns_or_without_rows_is_left_alone(hide):
    for frame in (pl.DataFrame({"x": [1.0]}), pl.DataFrame(schema={"user_id": pl.String})):
        assert_frame_equal(hide.apply(frame), frame)


def test_a_column_of_nothing_but_gaps_stays_so(hide):
    frame = pl.DataFrame({"user_id": [None, None]})
    assert_frame_equal(hide.apply(frame), frame)


def test_a_personal_column_that_is_not_text_is_refused(hide):
    with pytest.raises(ConfigurationError, match="'user_id' holds Float64"):
        hide.apply(pl.DataFrame({"user_id": [1.5]}))
