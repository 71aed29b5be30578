"""What is kept of a batch's shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.stats.profile import Profile
from flyball.steps.duplicates import row_hashes
from flyball.steps.profile import Profiler, summary

TYPES = {
    "x": ColumnType.NUMBER, "y": ColumnType.NUMBER, "t": ColumnType.TIMESTAMP,
    "s": ColumnType.STRING, "b": ColumnType.BOOLEAN, "l": ColumnType.STRINGS,
}  # fmt: skip
SCHEMA = Schema(columns=tuple(Column(name=n, type=t) for n, t in TYPES.items()), key=("s", "x"))


def profiled(*frames: pl.DataFrame) -> Profile:
    """The profile of rows that came in these chunks."""
    profiler = Profiler(SCHEMA)
    for frame in frames:
        profiler.add(frame)
    return profiler.finished()


def facts(column: str, values: Any, dtype: Any = None) -> dict[str, Any]:
    """What the summary says of one column."""
    frame = pl.DataFrame({column: values}, schema={column: dtype} if dtype else None)
    return summary(profiled(frame))["columns"][column]


class TestNumbers:
    """A column of numbers."""

    def test_has_its_moments_and_quantiles(self) -> None:
        """Nulls do not count in them."""
        found = facts("x", [1.0, 2.0, 3.0, 4.0, None])
        assert (found["nulls"], found["distinct"]) == (1, 4)
        assert (found["min"], found["max"], found["mean"]) == (1.0, 4.0, 2.5)
        assert found["quantiles"]["0.5"] == 2.5
        assert found["quantiles"]["0.25"] == 1.75

    def test_the_histogram_holds_every_value(self) -> None:
        """20 bins from the least to the greatest; the last one closed."""
        values = np.random.default_rng(7).gamma(2.0, 5.0, 1000)
        histogram = facts("x", values)["histogram"]
        assert histogram["counts"] == np.histogram(values, 20)[0].tolist()
        assert (histogram["edges"][0], histogram["edges"][-1]) == (values.min(), values.max())

    def test_one_value_only(self) -> None:
        """It is in the first bin."""
        assert facts("x", [5.0, 5.0])["histogram"]["counts"] == [2] + [0] * 19

    @pytest.mark.parametrize("values", [[], [None, None], [float("inf")]])
    def test_without_a_finite_value_there_are_no_moments(self, values: list[float | None]) -> None:
        """Nothing is made up."""
        assert set(facts("x", values, pl.Float64)) == {"nulls", "distinct"}

    def test_the_largest_floats_stay_finite(self) -> None:
        """JSON has no infinity."""
        found = facts("x", [1.7e308, -1.7e308, 1.7e308])
        assert json.dumps(found, allow_nan=False)
        assert found["max"] == 1.7e308


class TestOthers:
    """Text, times, true and false, and lists."""

    def test_text_has_its_most_frequent_values(self) -> None:
        """Ten at most; equal counts by the alphabet."""
        found = facts("s", ["b", "a", "c", "c", None, *map(str, range(20))])
        assert found["top"][:3] == [
            {"value": "c", "count": 2},
            {"value": "0", "count": 1},
            {"value": "1", "count": 1},
        ]
        assert (len(found["top"]), found["nulls"], found["distinct"]) == (10, 1, 23)

    def test_times_are_iso_8601_in_utc(self) -> None:
        """Their moments and the histogram's edges too."""
        days = [datetime(2020, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
        found = facts("t", days, pl.Datetime("us", "UTC"))
        assert found["min"] == "2020-01-01T00:00:00+00:00"
        assert found["mean"] == "2020-01-02T00:00:00+00:00"
        assert found["quantiles"]["0.5"] == "2020-01-02T00:00:00+00:00"
        assert found["histogram"]["edges"][20] == "2020-01-03T00:00:00+00:00"
        assert sum(found["histogram"]["counts"]) == 3

    def test_true_and_false_are_values(self) -> None:
        """Counted by name."""
        found = facts("b", [True, False, True, None])
        assert found["top"] == [{"value": "true", "count": 2}, {"value": "false", "count": 1}]

    def test_lists_are_counted_by_element(self) -> None:
        """An empty list has none, and is not missing."""
        values = [["rpg", "indie"], ["rpg"], [], None]
        found = facts("l", values, pl.List(pl.String))
        assert found["top"] == [{"value": "rpg", "count": 2}, {"value": "indie", "count": 1}]
        column = profiled(pl.DataFrame({"l": values})).columns["l"]
        assert column.nulls == 1
        assert column.sizes is not None
        assert (column.sizes.min, column.sizes.max, column.sizes.count) == (0, 2, 3)

    def test_text_in_a_wrong_encoding_is_noticed(self) -> None:
        """UTF-8 read as Windows-1252, and what could not be read at all; not what is foreign."""
        broken = ["PokÃ©mon", "Tom Clancyâ€™s", "a\ufffdb", "Lego\x92s", "Â®", "ðŸ˜€"]
        sound = ["Pokémon", "São Paulo", "ÃO", "Grâce", "ポケモン", "Tom’s ®", "42", "plain"]
        text = profiled(pl.DataFrame({"s": broken + sound})).columns["s"].text
        assert text is not None
        assert (text.broken, text.non_ascii, text.digits) == (6, 12, 1)

    def test_an_empty_frame(self) -> None:
        """Has no rows, and that is all."""
        assert summary(profiled()) == {"rows": 0, "columns": {}}
        assert facts("s", [], pl.String) == {"nulls": 0, "distinct": 0, "top": []}

    def test_a_column_that_the_schema_does_not_know_is_passed_over(self) -> None:
        """Nobody declared what it holds."""
        assert profiled(pl.DataFrame({"unknown": [1]})).columns == {}


def rows(size: int, seed: int = 1) -> pl.DataFrame:
    """Rows of every type."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "x": rng.lognormal(1.0, 1.5, size),
            "y": rng.normal(size=size),
            "t": pl.from_epoch(pl.Series(rng.integers(0, 10**9, size))).dt.cast_time_unit("us")
            .dt.replace_time_zone("UTC"),
            "s": [f"user {n}" for n in rng.zipf(1.5, size)],
            "b": rng.random(size) < 0.3,
            "l": [[f"g{n}", "all"] for n in rng.integers(0, 5, size)],
        }
    )  # fmt: skip


class TestChunks:
    """Rows come in chunks of any size."""

    def test_the_profile_does_not_depend_on_them(self) -> None:
        """Apart from the last digits of means."""
        frame = rows(5000)
        whole, parts = profiled(frame), profiled(*frame.iter_slices(313))
        for name, column in whole.columns.items():
            other = parts.columns[name]
            assert (other.nulls, other.values, other.text) == (
                column.nulls, column.values, column.text,
            )  # fmt: skip
            assert other.hashes == column.hashes
        assert parts.columns["x"].numbers.sizes == whole.columns["x"].numbers.sizes  # type: ignore[union-attr]
        assert parts.crossed == whole.crossed
        assert [s.parts["true"].sizes for s in parts.splits] == [
            s.parts["true"].sizes for s in whole.splits
        ]

    def test_a_column_that_gets_many_values_leaves_its_pairs(self) -> None:
        """Pairs are for columns of few values, in all rows."""
        few = pl.DataFrame({"x": [1.0, 2.0], "s": ["a", "b"], "b": [True, False]})
        many = pl.DataFrame({"x": [1.0] * 9, "s": list("abcdefghi"), "b": [True] * 9})
        found = profiled(few, many)
        assert [(s.by, s.of) for s in found.splits] == [("b", "x")]
        assert found.crossed == ()
        assert profiled(few, few).crossed[0].counts == {("a", "true"): 2, ("b", "false"): 2}

    def test_a_column_that_names_persons_is_in_no_pair(self) -> None:
        """However few they are: a pair lists its values."""
        personal = Column(name="s", type=ColumnType.STRING, privacy=Privacy.PERSONAL)
        profiler = Profiler(Schema(columns=(*SCHEMA.columns[:3], personal)))
        profiler.add(pl.DataFrame({"x": [1.0, 2.0], "s": ["a", "b"]}))
        assert profiler.finished().splits == ()

    def test_numbers_correlate_over_all_chunks(self) -> None:
        """As over the whole."""
        frame = rows(2000).with_columns(y=pl.col("x") * -2)
        moments = profiled(*frame.iter_slices(300)).moments
        assert moments[0].correlation == pytest.approx(-1.0)


class TestReferences:
    """What is counted for looking up."""

    def test_every_value_with_its_rows(self) -> None:
        """From all chunks."""
        profiler = Profiler(SCHEMA)
        profiler.add(pl.DataFrame({"s": ["a", "b", None]}))
        profiler.add(pl.DataFrame({"s": ["b", "c", "b"]}))
        assert dict(profiler.counts("s").iter_rows()) == {"a": 1, "b": 3, "c": 1}
        assert profiler.columns == ("s",)

    def test_rows_are_compared_by_their_hashes(self) -> None:
        """The same rows again are all found; a file with other key columns is not compared."""
        frame = rows(3000)
        found = []
        for part in (frame, frame, rows(3000, seed=2), frame.drop("x")):
            profiler = Profiler(SCHEMA)
            profiler.add(part, row_hashes(part, [c for c in SCHEMA.key if c in part.columns]))
            found.append(profiler.finished().row_hashes)
        first, same, other, fewer = found
        assert first.overlap(same).share == 1.0
        assert first.overlap(other).share < 0.02
        assert first.overlap(fewer) is None
