"""Rows between reading and writing: each once, in order, in bounded memory."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.ports import LINE
from flyball.steps import canonical
from flyball.steps.conform import quarantined
from flyball.steps.duplicates import Duplicates, row_hashes
from flyball.steps.staging import Staging
from flyball.steps.tally import BLANK, Tally

COLUMNS = ("user_id", "value")


def schema(*key: str) -> Schema:
    """Two columns, of which some make a row a repetition."""
    columns = (
        Column(name="user_id", type=ColumnType.STRING),
        Column(name="value", type=ColumnType.NUMBER, nullable=True),
    )
    return Schema(columns=columns, key=key)


def rows(*cells: tuple[str, float | None], first_line: int = 1) -> pl.DataFrame:
    """Rows as a reader gives them."""
    frame = pl.DataFrame(
        list(cells), orient="row", schema={"user_id": pl.String, "value": pl.Float64}
    )
    lines = pl.int_range(first_line, first_line + len(cells), dtype=pl.Int64)
    return frame.with_columns(lines.alias(LINE))


class Stage:
    """A staging with what came out of it."""

    def __init__(self, root: Path, *key: str) -> None:
        self.tally = Tally()
        folder = root / "staging"
        folder.mkdir()
        self.staging = Staging(folder, schema(*key), COLUMNS, self.tally)
        self.out, self.aside = root / "out.parquet", root / "aside.parquet"
        self.seen: list[pl.DataFrame] = []

    def written(self) -> list[tuple[str, float | None]]:
        """The rows of the batch."""
        self.digest = self.staging.write(self.out, lambda frame, _: self.seen.append(frame))
        return pl.read_parquet(self.out).rows()


class TestARepeatedRow:
    """A row that was sent twice."""

    def test_is_kept_once_at_its_first_place(self, tmp_path: Path) -> None:
        """Also across chunks; the rest goes to the quarantine, and is not bad."""
        stage = Stage(tmp_path, "user_id", "value")
        stage.staging.keep(rows(("a", 1.0), ("b", 1.0), ("a", 1.0)), "")
        stage.staging.keep(rows(("c", 1.0), ("b", 1.0), first_line=4), "")
        assert stage.written() == [("a", 1.0), ("b", 1.0), ("c", 1.0)]
        assert stage.staging.write_quarantine(stage.aside) == 2
        told = pl.read_parquet(stage.aside)
        assert told["line"].to_list() == [3, 5]
        assert told["reasons"].to_list() == [["duplicate"], ["duplicate"]]
        assert (stage.tally.of("duplicate"), stage.tally.bad) == (2, 0)

    def test_missing_values_are_equal_to_each_other(self, tmp_path: Path) -> None:
        """Two rows with the same gap are the same row."""
        stage = Stage(tmp_path, "user_id", "value")
        stage.staging.keep(rows(("a", None), ("a", None)), "")
        assert stage.written() == [("a", None)]

    def test_is_told_by_the_key_alone(self, tmp_path: Path) -> None:
        """Another value in another column does not make another row."""
        stage = Stage(tmp_path, "user_id")
        stage.staging.keep(rows(("a", 1.0), ("a", 2.0)), "")
        assert stage.written() == [("a", 1.0)]

    def test_without_a_key_no_row_is_one(self, tmp_path: Path) -> None:
        """Where nothing tells rows apart."""
        stage = Stage(tmp_path)
        stage.staging.keep(rows(("a", 1.0), ("a", 1.0)), "")
        assert stage.written() == [("a", 1.0), ("a", 1.0)]
        assert stage.staging.write_quarantine(stage.aside) == 0

    def test_what_stays_is_what_is_profiled(self, tmp_path: Path) -> None:
        """Without the repetitions, without the lines."""
        stage = Stage(tmp_path, "user_id")
        stage.staging.keep(rows(("a", 1.0), ("a", 2.0), ("b", 3.0)), "")
        stage.written()
        assert [frame.rows() for frame in stage.seen] == [[("a", 1.0), ("b", 3.0)]]


class TestTheBytes:
    """Depend on the rows alone."""

    def test_not_on_how_they_came(self, tmp_path: Path) -> None:
        """One chunk or three."""
        digests = []
        for number, cuts in enumerate(([0, 6], [0, 1, 4, 6])):
            root = tmp_path / str(number)
            root.mkdir()
            stage = Stage(root)
            whole = rows(*[(f"u{n}", float(n)) for n in range(6)])
            for start, end in pairwise(cuts):
                stage.staging.keep(whole[start:end], "")
            stage.written()
            digests.append(stage.digest)
        assert digests[0] == digests[1]

    def test_an_error_while_rows_come_is_raised(self, tmp_path: Path) -> None:
        """And not swallowed by the writer."""

        def broken() -> object:
            yield pl.DataFrame({"a": [1]})
            raise ValueError("the source ended")

        with pytest.raises(ValueError, match="the source ended"):
            canonical.write(broken(), pl.Schema({"a": pl.Int64}), tmp_path / "x.parquet")  # type: ignore[arg-type]


class TestHashes:
    """Which rows repeat an earlier one, however many there are."""

    def test_agree_with_looking_at_all_rows(self, tmp_path: Path) -> None:
        """Ten thousand rows of few values, in chunks of odd sizes."""
        frame = pl.DataFrame({"a": [n * n % 3001 for n in range(10_000)]})
        duplicates = Duplicates(tmp_path)
        for start in range(0, 10_000, 777):
            duplicates.add(row_hashes(frame[start : start + 777], ["a"]))
        wanted = (~frame["a"].is_first_distinct()).arg_true().to_list()
        assert duplicates.found().tolist() == wanted

    def test_none_of_no_rows(self, tmp_path: Path) -> None:
        """Nothing was added."""
        assert Duplicates(tmp_path).found().tolist() == []


class TestATally:
    """What was left out, by rule."""

    def test_a_row_counts_for_the_first_rule_it_breaks(self) -> None:
        """So that the counts and the rows kept add up to the rows read."""
        tally = Tally()
        broken = quarantined(rows(("a", 1.0), ("b", 2.0)), [["x", "y"], ["y"]], "")
        tally.rows(broken, "")
        assert {f.rule: f.count for f in tally.findings()} == {"x": 1, "y": 1}
        assert tally.bad == tally.left_out == 2

    def test_three_examples_of_each_with_their_file(self) -> None:
        """From the first chunks on."""
        tally = Tally()
        for number in range(3):
            many = rows(("a", 1.0), ("b", 2.0), first_line=10 * number)
            tally.rows(quarantined(many, [["x"], ["x"]], ""), "part.csv")
        (finding,) = tally.findings()
        assert finding.count == 6
        assert finding.detail.count("part.csv line") == 3

    def test_blank_records_are_neither_bad_nor_rows(self) -> None:
        """But they are told."""
        tally = Tally()
        tally.count(BLANK, 9)
        assert (tally.bad, tally.left_out) == (0, 0)
        assert [(f.rule, f.count, f.detail) for f in tally.findings()] == [
            (BLANK, 9, "without any value")
        ]
