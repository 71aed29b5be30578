"""Which changes of a schema stop the loop, and how the difference reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flyball.domain.schema import Column, ColumnType, Privacy, Reference, Schema
from flyball.domain.schema_change import Change, compared, compared_all, difference

COLUMN = Column(
    name="x",
    type=ColumnType.NUMBER,
    minimum=0.0,
    maximum=10.0,
    unit="h",
    aliases=("ex",),
    spellings={"none": "0"},
)
TEXT = Column(name="t", type=ColumnType.STRING, allowed=("a", "b"))
OLD = Schema(name="rows", columns=(COLUMN, TEXT), key=("x",), headerless=("x", "t"))


def of_column(**change):
    return compared(OLD, replace(OLD, columns=(replace(COLUMN, **change), TEXT)))


def of_text(**change):
    return compared(OLD, replace(OLD, columns=(COLUMN, replace(TEXT, **change))))


class TestCompatible:
    @pytest.mark.parametrize(
        "change",
        [
            {"minimum": -1.0}, {"minimum": None}, {"maximum": 11.0}, {"maximum": None},
            {"nullable": True}, {"lenient": True}, {"required": False},
            {"aliases": ("ex", "iks")}, {"spellings": {"none": "0", "nil": "0"}},
            {"references": Reference(table="rows", column="t")},
        ],
    )  # fmt: skip
    def test_is_what_old_data_still_fits(self, change):
        (found,) = of_column(**change)
        assert found.column == "x"
        assert not found.breaking

    @pytest.mark.parametrize("allowed", [("a", "b", "c"), None])
    def test_are_more_allowed_values(self, allowed):
        (found,) = of_text(allowed=allowed)
        assert not found.breaking

    def test_is_a_new_column_that_files_need_not_have(self):
        more = Column(name="y", type=ColumnType.STRING, required=False)
        (found,) = compared(OLD, replace(OLD, columns=(*OLD.columns, more)))
        assert found == Change(
            table="rows", column="y", sign="+", what="new optional string column", breaking=False
        )

    def test_is_another_order_of_columns(self):
        (found,) = compared(OLD, replace(OLD, columns=(TEXT, COLUMN)))
        assert not found.breaking

    def test_is_a_choice_that_each_old_row_has_made(self):
        (found,) = compared(OLD, replace(OLD, one_of=(("x", "t"),)))
        assert not found.breaking

    def test_is_a_new_table(self):
        (found,) = compared_all([OLD], [OLD, replace(OLD, name="more")])
        assert (found.sign, found.table, found.breaking) == ("+", "more", False)


class TestBreaking:
    @pytest.mark.parametrize(
        "change",
        [
            {"minimum": 1.0}, {"maximum": 9.0}, {"type": ColumnType.STRING}, {"unit": "min"},
            {"unit": ""}, {"privacy": Privacy.PERSONAL}, {"aliases": ()}, {"spellings": {}},
            {"spellings": {"none": "1"}}, {"name": "z"},
        ],
    )  # fmt: skip
    def test_is_what_old_data_does_not_fit(self, change):
        assert any(found.breaking for found in of_column(**change))

    @pytest.mark.parametrize(
        "narrower", [{"nullable": False}, {"lenient": False}, {"required": True}]
    )
    def test_is_what_becomes_strict(self, narrower):
        loose = replace(COLUMN, nullable=True, lenient=True, required=False)
        old = replace(OLD, columns=(loose, TEXT))
        (found,) = compared(old, replace(old, columns=(replace(loose, **narrower), TEXT)))
        assert found.breaking

    @pytest.mark.parametrize("allowed", [("a",), ("a", "c")])
    def test_are_fewer_allowed_values(self, allowed):
        assert any(found.breaking for found in of_text(allowed=allowed))

    def test_is_a_bound_where_there_was_none(self):
        assert of_column(minimum=None)[0].breaking is False
        old = replace(OLD, columns=(replace(COLUMN, minimum=None), TEXT))
        (found,) = compared(old, OLD)
        assert found.breaking

    @pytest.mark.parametrize(
        "change",
        [
            {"key": ("x", "t")}, {"key": ()}, {"headerless": ("t", "x")}, {"headerless": ()},
        ],
    )  # fmt: skip
    def test_is_another_key_or_layout(self, change):
        (found,) = compared(OLD, replace(OLD, **change))
        assert found.breaking

    def test_is_a_choice_that_old_rows_need_not_have_made(self):
        loose = replace(OLD, columns=(replace(COLUMN, nullable=True), replace(TEXT, nullable=True)))
        wide = replace(loose, one_of=(("x", "t"),))
        assert compared(loose, wide)[0].breaking
        assert compared(wide, replace(loose, one_of=(("x",),)))[0].breaking
        assert not compared(replace(loose, one_of=(("x",),)), wide)[0].breaking
        assert not compared(wide, loose)[0].breaking

    def test_is_a_column_or_a_table_removed(self):
        (found,) = compared(OLD, replace(OLD, columns=(COLUMN,)))
        assert (found.sign, found.column, found.breaking) == ("-", "t", True)
        more = replace(OLD, name="more")
        (found,) = compared_all([OLD, more], [OLD])
        assert (found.sign, found.table, found.breaking) == ("-", "more", True)

    def test_is_a_new_column_that_files_must_have(self):
        more = Column(name="y", type=ColumnType.STRING)
        assert compared(OLD, replace(OLD, columns=(*OLD.columns, more)))[0].breaking

    def test_is_another_table_to_learn_from(self):
        more = replace(OLD, name="more")
        assert [c.breaking for c in compared_all([OLD, more], [more, OLD])] == [True]


def test_the_difference_reads_as_a_diff():
    new = replace(
        OLD,
        columns=(
            replace(COLUMN, unit="min", maximum=20.0),
            Column(name="y", type=ColumnType.BOOLEAN, required=False),
        ),
    )
    assert difference(compared(OLD, new)).splitlines() == [
        "~ rows.x: unit 'min' instead of 'h' (breaking)",
        "~ rows.x: maximum 20 instead of 10",
        "+ rows.y: new optional boolean column",
        "- rows.t: string column removed (breaking)",
    ]
