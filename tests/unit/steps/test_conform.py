"""Which rows a batch keeps, and what is said about the others."""

from __future__ import annotations

import polars as pl
import pytest

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.ports import Table
from flyball.steps.conform import conform, left_out

SCHEMA = Schema(
    columns=(
        Column(name="user_id", type=ColumnType.STRING),
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
KEY = ("user_id", "event", "value", "timestamp")


def table(*rows: tuple[str | None, str | None, float | None], **unreadable: int) -> Table:
    """A table of (user, event, value), and rows that could not be read by reason."""
    schema = {"user_id": pl.String, "event": pl.String, "value": pl.Float64}
    frame = pl.DataFrame(list(rows), orient="row", schema=schema)
    reasons = {name: (count, ("line 3: bad",)) for name, count in unreadable.items()}
    return Table(frame=frame, unreadable=reasons)


class TestRules:
    """Each rule of a schema leaves out the rows that break it."""

    def test_good_rows_stay_in_their_order_without_findings(self) -> None:
        """Bounds belong to the range; a nullable cell may be missing."""
        rows = [("b", "play", 0.0), ("a", "purchase", 100.0), ("c", "play", None)]
        frame, findings = conform(table(*rows), SCHEMA, KEY)
        assert frame.rows() == rows
        assert findings == ()

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
    def test_a_row_that_breaks_a_rule_is_left_out(
        self, row: tuple[str | None, str | None, float], rule: str
    ) -> None:
        """The finding names the rule and shows the row."""
        frame, (finding,) = conform(table(("x", "play", 1.0), row), SCHEMA, KEY)
        assert frame.rows() == [("x", "play", 1.0)]
        assert (finding.rule, finding.count, finding.dropped) == (rule, 1, True)
        assert f"value '{row[2]}'" in finding.detail

    def test_a_row_that_breaks_several_rules_counts_once(self) -> None:
        """So that counts and rows kept add up to the rows read."""
        bad = table((None, "played", -1.0), ("a", "play", 1.0))
        frame, findings = conform(bad, SCHEMA, KEY)
        assert frame.height + sum(finding.count for finding in findings) == 2

    def test_at_most_three_examples(self) -> None:
        """The count is of all."""
        bad = table(*[(f"user{n}", "played", 1.0) for n in range(9)])
        _, (finding,) = conform(bad, SCHEMA, KEY)
        assert finding.count == 9
        assert finding.detail.count("user_id") == 3

    def test_what_could_not_be_read_is_a_finding_too(self) -> None:
        """With its examples."""
        _, (finding,) = conform(table(("a", "play", 1.0), width=2), SCHEMA, KEY)
        assert finding.rule == "width"
        assert finding.detail == "2 rows, for example: line 3: bad"

    def test_an_absent_optional_column_breaks_no_rule(self) -> None:
        """Its rules have nothing to apply to."""
        frame = table(("a", "play", 1.0)).frame.drop("value")
        kept, findings = conform(Table(frame=frame), SCHEMA, KEY)
        assert kept.height == 1
        assert findings == ()


class TestDuplicates:
    """A row that was sent twice."""

    def test_is_kept_once_at_its_first_place(self) -> None:
        """And the rest is counted, but not as bad."""
        again = table(("a", "play", 1.0), ("b", "play", 1.0), ("a", "play", 1.0))
        frame, findings = conform(again, SCHEMA, KEY)
        assert frame["user_id"].to_list() == ["a", "b"]
        assert [(finding.rule, finding.count) for finding in findings] == [("duplicate", 1)]
        assert left_out(findings) == 0

    def test_missing_values_are_equal_to_each_other(self) -> None:
        """Two rows with the same gap are the same row."""
        frame, _ = conform(table(("a", "play", None), ("a", "play", None)), SCHEMA, KEY)
        assert frame.height == 1

    def test_only_the_key_counts(self) -> None:
        """Another value in another column does not make another row."""
        frame, _ = conform(
            table(("a", "play", 1.0), ("a", "play", 2.0)), SCHEMA, ("user_id", "event")
        )
        assert frame.rows() == [("a", "play", 1.0)]

    def test_without_a_key_every_row_stays(self) -> None:
        """Where no row can be a repetition."""
        frame, _ = conform(table(("a", "play", 1.0), ("a", "play", 1.0)), SCHEMA, ())
        assert frame.height == 2

    def test_bad_rows_are_counted_apart(self) -> None:
        """Only these can get a batch refused."""
        mixed = table(("a", "play", 1.0), ("a", "play", 1.0), (None, "play", 1.0), json=4)
        assert left_out(conform(mixed, SCHEMA, KEY)[1]) == 5
