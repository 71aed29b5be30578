"""Which rows a batch keeps, and what is said about the others."""

from __future__ import annotations

import polars as pl
import pytest

from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.ports import DETAIL, LINE, RAW, REASON
from flyball.steps.conform import REASONS, conform, examples, unread

SCHEMA = Schema(
    columns=(
        Column(name="user_id", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
        Column(name="event", type=ColumnType.STRING, allowed=("purchase", "play")),
        Column(
            name="value",
            type=ColumnType.NUMBER,
            required=False,
            nullable=True,
            minimum=0.0,
            maximum=100.0,
        ),
    )
)

Row = tuple[str | None, str | None, float | None]


def rows(*cells: Row) -> pl.DataFrame:
    """Rows of (user, event, value), on lines from 1."""
    schema = {"user_id": pl.String, "event": pl.String, "value": pl.Float64}
    frame = pl.DataFrame(list(cells), orient="row", schema=schema)
    return frame.with_columns(pl.int_range(1, len(cells) + 1, dtype=pl.Int64).alias(LINE))


def text(*cells: str | None, **more: object) -> tuple[pl.DataFrame, Schema]:
    """One text column of those cells, and its schema."""
    column = Column(name="title", type=ColumnType.STRING, nullable=True, **more)  # type: ignore[arg-type]
    frame = pl.DataFrame({"title": cells}, schema={"title": pl.String})
    lines = pl.int_range(1, len(cells) + 1, dtype=pl.Int64).alias(LINE)
    return frame.with_columns(lines), Schema(columns=(column,))


class TestRules:
    """Each rule of a schema leaves out the rows that break it."""

    def test_good_rows_stay_in_their_order(self) -> None:
        """Bounds belong to the range; a nullable cell may be missing."""
        good = rows(("b", "play", 0.0), ("a", "purchase", 100.0), ("c", "play", None))
        kept, aside = conform(good, SCHEMA)
        assert kept.equals(good)
        assert aside.height == 0

    @pytest.mark.parametrize(
        ("row", "rule"),
        [
            ((None, "play", 1.0), "not_null:user_id"),
            (("a", None, 1.0), "not_null:event"),
            (("a", "played", 1.0), "allowed:event"),
            (("a", "play", -0.1), "minimum:value"),
            (("a", "play", 100.1), "maximum:value"),
        ],
    )
    def test_a_row_that_breaks_a_rule_is_set_aside(self, row: Row, rule: str) -> None:
        """With the rule, its line, and its cells as text."""
        kept, aside = conform(rows(("x", "play", 1.0), row), SCHEMA)
        assert kept["user_id"].to_list() == ["x"]
        assert aside[REASONS].to_list() == [[rule]]
        assert aside[LINE].to_list() == [2]
        assert aside["value"].to_list() == [str(row[2])]

    def test_a_row_has_all_the_rules_it_breaks(self) -> None:
        """In the order of the columns."""
        _, aside = conform(rows((None, "played", -1.0)), SCHEMA)
        assert aside[REASONS].to_list() == [["not_null:user_id", "allowed:event", "minimum:value"]]

    def test_an_absent_optional_column_breaks_no_rule(self) -> None:
        """Its rules have nothing to apply to."""
        kept, aside = conform(rows(("a", "play", -1.0)).drop("value"), SCHEMA)
        assert (kept.height, aside.height) == (1, 0)

    def test_a_row_needs_one_of_a_group(self) -> None:
        """Where a file has several columns of it, any of them will do."""
        columns = tuple(
            Column(name=name, type=ColumnType.STRING, required=False, nullable=True)
            for name in ("title", "item_id")
        )
        schema = Schema(columns=columns, one_of=(("title", "item_id"),))
        cells = {"title": ["a", None, None], "item_id": [None, "7", None], LINE: [1, 2, 3]}
        kept, aside = conform(pl.DataFrame(cells), schema)
        assert kept[LINE].to_list() == [1, 2]
        assert aside[REASONS].to_list() == [["one_of:title,item_id"]]

    def test_a_schema_without_rules_keeps_everything(self) -> None:
        """A nullable text with allowed values only has that rule."""
        frame, schema = text("a", None, allowed=("a",))
        assert conform(frame, schema)[0].height == 2


class TestFormulas:
    """A cell that a spreadsheet would carry out goes to the quarantine."""

    @pytest.mark.parametrize(
        "cell",
        [
            "=1+1",
            '=HYPERLINK("http://x","y")',
            "=cmd|' /C calc'!A0",
            "+cmd|' /C calc'!A0",
            "@SUM(1+1)*cmd|' /C calc'!A0",
            "-2+3+cmd|' /C calc'!A0",
            "\t=1+1",
        ],
    )
    def test_is_set_aside(self, cell: str) -> None:
        """Whatever it would do."""
        frame, schema = text("Portal", cell)
        kept, aside = conform(frame, schema)
        assert kept["title"].to_list() == ["Portal"]
        assert aside[REASONS].to_list() == [["formula:title"]]

    @pytest.mark.parametrize("cell", ["-KLAUS-", "=)", "+1", "@Home", "1+1", "A = B (C)", "-", ""])
    def test_an_odd_title_is_none(self, cell: str) -> None:
        """Games are called such things."""
        frame, schema = text(cell)
        assert conform(frame, schema)[0].height == 1


class TestWhatIsToldOfThem:
    """Examples name the line, and what stood there."""

    def test_cells_of_a_broken_row(self) -> None:
        """Missing ones too."""
        _, aside = conform(rows(("a", "played", None)), SCHEMA)
        assert examples(aside, 3) == ["line 1: user_id 'a', event 'played', value missing"]

    def test_what_a_reader_said(self) -> None:
        """Goes before the cells."""
        cells = {LINE: [7], REASON: ["width"], DETAIL: ["2 fields instead of 3"], RAW: [None]}
        schema = {LINE: pl.Int64, REASON: pl.String, DETAIL: pl.String, RAW: pl.String}
        rejected = pl.DataFrame(cells, schema=schema).with_columns(
            pl.lit(None, dtype=pl.String).alias("user_id")
        )
        told = unread(rejected)
        assert examples(told, 3) == ["line 7: 2 fields instead of 3"]
        assert told[REASONS].to_list() == [["width"]]

    def test_at_most_so_many(self) -> None:
        """The first ones."""
        _, aside = conform(rows(*[(f"user{n}", "played", 1.0) for n in range(9)]), SCHEMA)
        assert len(examples(aside, 3)) == 3
