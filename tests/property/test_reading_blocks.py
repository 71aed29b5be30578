"""Where a file is cut into blocks is never seen, and Python's own parser agrees."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.errors import DataQualityError
from flyball.ports import LINE, REASON
from flyball.storage.sources import FileSources

SCHEMA = Schema(
    columns=(
        Column(name="a", type=ColumnType.STRING, nullable=True),
        Column(name="b", type=ColumnType.STRING, nullable=True),
        Column(name="c", type=ColumnType.STRING, nullable=True),
    )
)
WHOLE = 1 << 24

Row = tuple[int, tuple[str | None, ...]]
"""A line, and the cells of a row there; the reason alone where it was rejected."""

MARKS = [",", ",", ",", "\n", "\n", "\r\n", "\r", '"', '""', '","', '"\n', " ", "\t", "x", "é"]
RECORDS = ["1,2,3\n", 'a,"b",c\n', '"p\nq",r,"s"\n', ",,\n", "\ufeff", "\n\n", '"a""b",,\r\n']
pieces = st.sampled_from([*MARKS, *RECORDS, "c,d,e\r"])
texts = st.lists(pieces, max_size=24).map("".join)


def read(content: bytes, block: int) -> tuple[list[Row], int] | str:
    """Rows and rejected rows by line, and how many were blank; or why the file is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        path.write_bytes(content)
        try:
            with FileSources(block=block).open(str(path), [SCHEMA]) as reading:
                chunks = list(reading)
        except DataQualityError as error:
            return str(error).replace(folder, "")
    rows = [
        (row[-1], row[:-1])
        for chunk in chunks
        for row in chunk.frame.select("a", "b", "c", LINE).rows()
    ]
    rejected = [
        (line, (reason,))
        for chunk in chunks
        for line, reason in chunk.rejected.select(LINE, REASON).rows()
    ]
    return sorted(rows + rejected, key=lambda row: row[0]), sum(chunk.blank for chunk in chunks)


def expected(text: str) -> tuple[list[Row], int] | None:
    """The same by Python's csv; None where the quotes do not match."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = io.StringIO(text, newline="").readlines()
    rows: list[Row] = []
    blank, line = 0, 1
    try:
        for cells in reader:
            kept = tuple(cell.strip() or None for cell in cells)
            if kept == (None, None, None) or (cells and not lines[line - 1].strip()):
                blank += 1
            elif cells:
                rows.append((line, kept if len(cells) == 3 else ("width",)))
            line = reader.line_num + 1
    except csv.Error:
        return None
    return rows[1:], blank


@settings(max_examples=150, deadline=None)
@given(texts, st.integers(1, 40))
@example('x,y,"\r"\r\n1,2,3', 1)
@example("1,2,3\r\n\ufeffx,y,z\n", 7)
def test_rows_lines_and_rejects_do_not_depend_on_the_block(body: str, block: int) -> None:
    """Not one of them, wherever quotes, line ends and characters are cut."""
    content = ("a,b,c\n" + body).encode()
    assert read(content, block) == read(content, WHOLE)


@settings(max_examples=150, deadline=None)
@given(texts)
@example('p,"q\r\nr",s\n1,2\n')
@example('x"y,z,"w"\n"a",b,c\n')
@example(" \n,,\n\n1,2,3")
def test_pythons_csv_agrees(body: str) -> None:
    """In rows, in lines, in what has the wrong width and in what is refused."""
    found, should = read(("a,b,c\n" + body).encode(), WHOLE), expected("a,b,c\n" + body)
    if isinstance(found, str):
        refused = "quotes do not match" in found and should is None
        empty = "no rows below it" in found and should is not None and not should[0]
        assert refused or empty
    else:
        assert found == should


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["{}", '{"a":1}', '{"b":NaN}', "nope", "", ' {"c":"é"} ', "[1]"])))
def test_json_lines_do_not_depend_on_the_block(lines: Sequence[str]) -> None:
    """Nor on which parser a line needs."""
    content = "\n".join(['{"a":"x","b":"y","c":"z"}', *lines]).encode()
    results = [read(content, block) for block in (1, 7, 64, WHOLE)]
    assert results[0] == results[1] == results[2] == results[3]
    assert not isinstance(results[0], str)


times = st.one_of(
    st.datetimes().map(str),
    st.datetimes().map(lambda time: time.isoformat(timespec="seconds") + "Z"),
    st.dates().map(str),
    st.from_regex(
        r"\A[0-9]{4}-[0-9]{1,2}-[0-9]{2}([T ][0-9]{1,2}:[0-9]{2}(:[0-9 ]{2})?(Z|\+00:00)?)?\Z"
    ),
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(
        ["2016-12-31T23:59:60Z", "", "2020-02-30", "2020-01-02T24:00:00", "0000-01-01"]
    ),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(times, min_size=1, max_size=6))
def test_a_time_means_the_same_whatever_stands_beside_it(written: Sequence[str]) -> None:
    """The quick way for files that spell all times alike reads none otherwise."""
    from flyball.storage.reading.times import times_of

    together = times_of(pl.Series("t", written, dtype=pl.String)).to_list()
    alone = [times_of(pl.Series("t", ["1", text])).to_list()[1] for text in written]
    assert together == alone
