"""The shape of several batches together, and as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flyball.domain.schema import ColumnType
from flyball.errors import ArtifactCorrupt
from flyball.stats.kmv import LeastHashes, RowHashes, hash_numbers
from flyball.stats.pairs import Crossed, Moments, Split
from flyball.stats.profile import ColumnProfile, Profile
from flyball.stats.sketches import Numbers
from flyball.stats.times import Times
from flyball.stats.values import BUCKETS, Text, Values


def full() -> Profile:
    """A profile in which every field has something."""
    numbers = Numbers.of([1.0, 2.5, 2.5, -3.0])
    hashes = LeastHashes.of(hash_numbers(np.arange(3.0)))
    counts = {"ä": 3, "b": 1}
    values = Values(counts=counts, error=2, buckets=(4,) * BUCKETS, hashes=hashes, exact=9)
    text = Text(lengths=numbers, non_ascii=1, broken=2, digits=3)
    return Profile(
        rows=4, read=9, rejected=1, duplicates=2, forgotten=1,
        unresolved={"title": 2},
        columns={
            "x": ColumnProfile(type=ColumnType.NUMBER, nulls=1, numbers=numbers, hashes=hashes),
            "t": ColumnProfile(type=ColumnType.TIMESTAMP, times=Times.of(np.array([5, 10**15]))),
            "s": ColumnProfile(type=ColumnType.STRING, values=values, text=text),
            "l": ColumnProfile(type=ColumnType.STRINGS, values=values, text=text, sizes=numbers),
        },
        splits=(Split(by="s", of="x", parts={"b": numbers}),),
        crossed=(Crossed(first="s", second="l", counts={("b", "ä"): 3}),),
        moments=(Moments(first="x", second="y", rows=3, mean_x=0.1, xx=2.0, yy=3.0, xy=1.0),),
        row_hashes=RowHashes(tag="a:1", least=hashes),
    )  # fmt: skip


def number(values: list[float], nulls: int = 0) -> Profile:
    """A batch with one column of numbers."""
    column = ColumnProfile(type=ColumnType.NUMBER, nulls=nulls, numbers=Numbers.of(values))
    rows = len(values) + nulls
    return Profile(rows=rows, read=rows, columns={"x": column})


class TestJson:
    """A profile kept with its batch."""

    def test_comes_back_as_it_was(self) -> None:
        """Every field of it."""
        assert Profile.from_json(full().to_json()) == full()
        assert Profile.from_json(Profile().to_json()) == Profile()

    @pytest.mark.parametrize(
        "document", [b"", b"\xff", b"[]", b"null", b"{}", b'{"format": 1}', b'{"format": 2}']
    )
    def test_another_document_is_refused(self, document: bytes) -> None:
        """With what to do about it."""
        with pytest.raises(ArtifactCorrupt, match="ingest the batch anew"):
            Profile.from_json(document)

    def test_a_damaged_field_is_refused(self) -> None:
        """A number where a list should be."""
        plain = json.loads(full().to_json())
        plain["columns"]["x"]["numbers"]["high"] = [1]
        with pytest.raises(ArtifactCorrupt, match="not a profile"):
            Profile.from_json(json.dumps(plain).encode())


class TestMerging:
    """Several batches together."""

    def test_rows_and_columns_add_up(self) -> None:
        """As if the rows had come in one batch."""
        merged = Profile.merged([number([1.0, 2.0], nulls=1), number([3.0])])
        assert (merged.rows, merged.read) == (4, 4)
        assert merged.columns["x"].nulls == 1
        assert merged.columns["x"].numbers == Numbers.of([1.0, 2.0, 3.0])

    def test_a_column_that_a_batch_lacks_is_null_there(self) -> None:
        """Its rows have no value in it."""
        merged = Profile.merged([Profile(rows=5, read=5), number([1.0])])
        assert merged.columns["x"].nulls == 5

    def test_a_column_that_changed_its_type_starts_anew(self) -> None:
        """Text does not add up with numbers."""
        text = ColumnProfile(type=ColumnType.STRING, values=Values(exact=1))
        merged = Profile.merged([Profile(rows=3, columns={"x": text}), number([1.0])])
        assert merged.columns["x"].nulls == 3
        assert merged.columns["x"].numbers == Numbers.of([1.0])

    def test_a_pair_that_a_batch_lacks_is_left_out(self) -> None:
        """It would speak of some of the rows only."""
        merged = Profile.merged([full(), number([1.0])])
        assert (merged.splits, merged.crossed, merged.moments) == ((), (), ())
        assert len(Profile.merged([full(), full()]).splits) == 1

    def test_rows_hashed_in_two_ways_are_not_compared(self) -> None:
        """Nor where some were not hashed."""
        assert Profile.merged([full(), number([1.0])]).row_hashes is None
        assert Profile.merged([full(), full()]).row_hashes == full().row_hashes
