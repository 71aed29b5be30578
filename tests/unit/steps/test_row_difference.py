"""Rows and values that only one of two sets of files has: exact, whatever the files look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.errors import ArtifactCorrupt
from flyball.steps.hash_bags import Apart, HashBag, rows_apart, values_apart
from flyball.steps.row_difference import FileSets, compared

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Files:
    """Parquet files of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *frames: pl.DataFrame) -> list[Path]:
        """Each frame as a file of its own."""
        paths = []
        for frame in frames:
            paths.append(self.folder / f"{len(list(self.folder.iterdir()))}.parquet")
            frame.write_parquet(paths[-1])
        return paths

    def compare(self, before, after, common=(), values=("user",)):
        """Compare frames."""
        sets = FileSets(removed=self(*before), added=self(*after), common=self(*common))
        return compared(sets, values=values, scratch=self.folder)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def rows(*users: str | None, **more: Sequence[object]) -> pl.DataFrame:
    return pl.DataFrame({"user": users, **more}, schema_overrides={"user": pl.String})


class TestRows:
    """A multiset: order, files and row groups do not matter, repetition does."""

    def test_equal_rows_in_other_files_and_another_order_are_equal(self, files):
        found = files.compare([rows("a", "b", "c")], [rows("c"), rows("b", "a")])
        assert found.rows == Apart(added=0, removed=0)

    def test_each_repetition_counts(self, files):
        found = files.compare([rows("a", "a", "a", "b")], [rows("a", "b", "b")])
        assert found.rows == Apart(added=1, removed=2)

    def test_one_changed_cell_is_a_row_removed_and_a_row_added(self, files):
        found = files.compare([rows("a", hours=[1.0])], [rows("a", hours=[2.0])])
        assert found.rows == Apart(added=1, removed=1)

    def test_the_same_values_in_swapped_columns_are_another_row(self, files):
        found = files.compare([rows("a", other=["b"])], [rows("b", other=["a"])])
        assert found.rows == Apart(added=1, removed=1)

    def test_a_column_that_is_not_there_is_an_empty_one(self, files):
        found = files.compare([rows("a")], [rows("a", hours=pl.Series([None], dtype=pl.Float64))])
        assert found.rows == Apart(added=0, removed=0)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ([["x", "y"]], [["xy"]]),
            ([["x"]], [["x", "x"]]),
            ([[]], [None]),
            ([[]], [[None]]),
            ([True], [None]),
            ([0.0], [None]),
            ([WHEN], [None]),
            ([""], [None]),
        ],
    )
    def test_every_kind_of_value_counts(self, files, one, other):
        """Empty is not missing, and lists are compared by their elements."""
        types = {"cell": pl.Series([*one, *other]).dtype}
        frames = [rows("a", cell=pl.Series(cells, dtype=types["cell"])) for cells in (one, other)]
        assert files.compare([frames[0]], [frames[1]]).rows == Apart(added=1, removed=1)
        assert files.compare([frames[0]], [frames[0]]).rows == Apart(added=0, removed=0)

    def test_nothing_beside_something(self, files):
        assert files.compare([], [rows("a", "b")]).rows == Apart(added=2, removed=0)
        assert files.compare([rows("a", "b")], []).rows == Apart(added=0, removed=2)
        assert files.compare([], []).rows == Apart(added=0, removed=0)

    def test_many_rows_in_several_chunks(self, files):
        """More than are held at a time."""
        users = [f"u{n}" for n in range(300_000)]
        found = files.compare([rows(*users)], [rows(*reversed(users[1_000:]), "new")])
        assert found.rows == Apart(added=1, removed=1_000)
        assert found.values["user"] == Apart(added=1, removed=1_000)

    def test_a_damaged_file_is_named(self, files, tmp_path):
        (path,) = files(rows("a"))
        path.write_bytes(b"no parquet")
        with pytest.raises(ArtifactCorrupt, match=path.name):
            compared(FileSets(removed=[path], added=[], common=[]), values=[], scratch=tmp_path)

    def test_leaves_nothing_behind(self, files, tmp_path):
        files.compare([rows("a")], [rows("b")])
        assert {path.suffix for path in tmp_path.iterdir()} == {".parquet"}


class TestValues:
    """Distinct values, as of the whole versions."""

    def test_a_value_that_both_have_is_neither_added_nor_removed(self, files):
        found = files.compare([rows("a", "b", "b")], [rows("b", "c", "c", "d")])
        assert found.values == {"user": Apart(added=2, removed=1)}

    def test_a_value_of_a_file_that_both_have_is_in_both(self, files):
        found = files.compare([rows("a", "b")], [rows("c", "d")], common=[rows("a", "c")])
        assert found.values == {"user": Apart(added=1, removed=1)}
        assert found.rows == Apart(added=2, removed=2)

    def test_missing_is_no_value(self, files):
        found = files.compare([rows(None)], [rows("a", None)])
        assert found.values == {"user": Apart(added=1, removed=0)}

    def test_a_column_that_no_file_has_is_not_told(self, files):
        assert files.compare([rows("a")], [rows("b")], values=("nobody",)).values == {}


small = st.lists(st.sampled_from(["a", "b", "c", "", None]), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(before=small, after=small, common=small)
def test_agrees_with_counting(tmp_path_factory, before, after, common):
    """Against Python's own multisets."""
    found = Files(tmp_path_factory.mktemp("files")).compare(
        [rows(*before)], [rows(*after)], [rows(*common)]
    )
    old, new = Counter(before), Counter(after)
    assert found.rows == Apart(added=(new - old).total(), removed=(old - new).total())
    had, has = ({*side, *common} - {None} for side in (before, after))
    assert found.values["user"] == Apart(added=len(has - had), removed=len(had - has))


hashes = st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**60, 2**64 - 1]))


@given(before=hashes, after=hashes, common=hashes)
def test_bags_of_any_hashes(tmp_path_factory, before, after, common):
    """Also where many fall into one file, or none."""
    folder = tmp_path_factory.mktemp("bags")
    bags = []
    for name, side in (("before", before), ("after", after), ("common", common)):
        bags.append(HashBag(folder / name))
        for half in (side[::2], side[1::2]):
            bags[-1].add(np.array(half, dtype=np.uint64))
    old, new = Counter(before), Counter(after)
    apart = rows_apart(bags[0], bags[1])
    assert apart == Apart(added=(new - old).total(), removed=(old - new).total())
    had, has = {*before, *common}, {*after, *common}
    apart = values_apart(*bags)
    assert apart == Apart(added=len(has - had), removed=len(had - has))
