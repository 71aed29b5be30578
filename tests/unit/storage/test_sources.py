"""What a user may hand in, and how it is read."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
import zstandard
from players_file import CSV, ROWS, Reader, parquet, reader
from players_file import read as read_all

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.errors import DataQualityError


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Reads what a test hands in."""
    return reader(tmp_path)


class TestFormats:
    """The content says what a file is, not its name."""

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_csv_with_each_delimiter(self, read: Reader, delimiter: str) -> None:
        """Found from the first line."""
        assert read(CSV.replace(",", delimiter)).frame.rows() == ROWS

    @pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
    @pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst", "a.csv", "a"])
    def test_packed_whatever_its_name(
        self, read: Reader, pack: Callable[[bytes], bytes], name: str
    ) -> None:
        """gzip and zstd are known by their first bytes."""
        assert read(pack(CSV.encode()), name=name).frame.rows() == ROWS

    def test_several_zstd_frames_are_one_file(self, read: Reader) -> None:
        """As ``zstd`` and ``cat`` write them."""
        head, tail = CSV.encode()[:30], CSV.encode()[30:]
        assert read(zstandard.compress(head) + zstandard.compress(tail)).frame.rows() == ROWS

    def test_jsonl(self, read: Reader) -> None:
        """One object a line; blank lines do not count; ids may be numbers."""
        text = (
            '{"user": 1, "game": "Portal", "value": 3.5, "date": "2020-01-02"}\n\n'
            '{"game": "Doom", "user": 2.0}\n'
        )
        assert read(text).frame.rows() == ROWS

    def test_parquet(self, read: Reader) -> None:
        """Its own types are taken over; whole numbers with gaps are ids all the same."""
        content = parquet(
            user=[1.0, 2.0],
            game=["Portal", "Doom"],
            value=[3.5, float("nan")],
            date=[datetime(2020, 1, 2), None],
        )
        assert read(content).frame.rows() == ROWS

    def test_every_format_gives_the_same_table(self, read: Reader) -> None:
        """Columns, types and order are the schema's."""
        tables = [
            read(CSV),
            read('{"date":"2020-01-02","value":3.5,"game":"Portal","user":"1"}\n'),
            read(parquet(date=["2020-01-02"], value=["3.5"], game=["Portal"], user=["1"])),
        ]
        assert {tuple(table.frame.schema.items()) for table in tables} == {
            (
                ("user_id", pl.String()),
                ("title", pl.String()),
                ("value", pl.Float64()),
                ("timestamp", pl.Datetime("us", "UTC")),
            )
        }
        assert {table.frame.row(0) for table in tables} == {ROWS[0]}

    def test_a_byte_order_mark_and_windows_line_ends(self, read: Reader) -> None:
        """As spreadsheets write them."""
        assert read(b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode()).frame.rows() == ROWS

    def test_quoted_cells(self, read: Reader) -> None:
        """With delimiters, quotes and line ends in them."""
        frame = read('user,game\n1,"a, ""b""\nc"\n').frame
        assert frame.rows() == [("1", 'a, "b"\nc')]


class TestHeaders:
    """How columns are found."""

    def test_optional_columns_may_be_absent(self, read: Reader) -> None:
        """Then the table does not have them."""
        assert read("user,game\n1,Portal\n").frame.columns == ["user_id", "title"]

    def test_names_are_compared_without_case_and_space(self, read: Reader) -> None:
        """And further columns are ignored."""
        assert read("Extra, USER ,Game\nx,1,Portal\n").frame.rows() == [("1", "Portal")]

    def test_the_canonical_name_wins_over_an_alias(self, read: Reader) -> None:
        """Then the alias that the schema lists first."""
        assert read("name,game,user\nn,g,1\n").frame.rows() == [("1", "g")]
        assert read("name,title,user\nn,t,1\n").frame.rows() == [("1", "t")]

    def test_a_file_without_a_header_is_read_by_position(self, read: Reader) -> None:
        """If it has as many columns as the schema says such files have."""
        assert read("1,Portal,3.5,0\n2,Doom,1,0\n").frame.rows() == [
            ("1", "Portal", 3.5),
            ("2", "Doom", 1.0),
        ]

    def test_a_wrong_header_is_not_taken_for_a_row(self, read: Reader) -> None:
        """Even where the number of columns fits a file without one."""
        with pytest.raises(DataQualityError, match="lacks user_id"):
            read("player,game,value,x\n1,Portal,3.5,0\n")

    @pytest.mark.parametrize(
        "content",
        ["player,value\n1,2\n", '{"player": 1, "value": 2}\n', parquet(player=[1], value=[2])],
    )
    def test_missing_columns_are_named_with_what_there_is(
        self, read: Reader, content: bytes | str
    ) -> None:
        """And with every name they could have."""
        with pytest.raises(DataQualityError) as caught:
            read(content)
        assert "'player', 'value'" in str(caught.value)
        assert "user_id (or user); title (or game, name)" in str(caught.value)
        assert "4 columns without a header" in str(caught.value)


class TestCells:
    """What single cells may hold."""

    def test_text_loses_the_space_around_it(self, read: Reader) -> None:
        """And nothing but space is a missing value."""
        assert read("user,game\n 1 , Portal 2 \n2,  \n").frame.rows() == [
            ("1", "Portal 2"),
            ("2", None),
        ]

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("2020-01-02", datetime(2020, 1, 2, tzinfo=UTC)),
            ("2020-01-02T03:04:05", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("2020-01-02 03:04", datetime(2020, 1, 2, 3, 4, tzinfo=UTC)),
            ("2020-01-02T03:04:05.25Z", datetime(2020, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)),
            ("2020-01-02T03:04:05+02:00", datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)),
            ("1577934245", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("1577934245.5", datetime(2020, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
            ("-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ],
    )
    def test_times(self, read: Reader, written: str, meant: datetime) -> None:
        """ISO 8601 or seconds since 1970; without a zone it is UTC."""
        assert read(f"user,game,date\n1,Portal,{written}\n").frame["timestamp"][0] == meant

    @pytest.mark.parametrize(
        ("column", "cell"),
        [
            ("value", "three"),
            ("value", "inf"),
            ("value", "nan"),
            ("date", "yesterday"),
            ("date", "2020-13-01"),
            ("date", "1577934245000"),
        ],
    )
    def test_a_cell_that_cannot_be_read_costs_its_row(
        self, read: Reader, column: str, cell: str
    ) -> None:
        """Counted by reason, with its line and the cell; the other rows stay."""
        table = read(f'user,game,{column}\n1,"Por\ntal",\n2,Doom,{cell}\n3,Quake,\n')
        assert table.frame["user_id"].to_list() == ["1", "3"]
        ((line, reason, detail),) = table.reasons
        assert reason.endswith({"value": ":value", "date": ":timestamp"}[column])
        assert line == 4
        assert repr(cell) in detail

    @pytest.mark.parametrize(
        ("unit", "value"), [("ms", 900_000_000_000_000), ("us", 9 * 10**17), ("ms", -(10**14))]
    )
    def test_a_time_that_no_calendar_has_costs_its_row(
        self, read: Reader, unit: Literal["ms", "us"], value: int
    ) -> None:
        """Typed files hold such times where milliseconds were taken for something else."""
        times = pl.Series([value, 0]).cast(pl.Datetime(unit))
        table = read(parquet(user=["1", "2"], game=["Portal", "Doom"], date=times))
        assert table.frame["user_id"].to_list() == ["2"]
        assert [(line, reason) for line, reason, _ in table.reasons] == [(1, "timestamp:timestamp")]

    def test_a_row_with_two_bad_cells_is_counted_once(self, read: Reader) -> None:
        """So that the counts add up to the rows left out."""
        table = read("user,game,value,date\n1,Portal,x,y\n1,Portal,1,\n")
        assert [(line, reason) for line, reason, _ in table.reasons] == [(2, "number:value")]

    def test_rows_of_the_wrong_width_are_named(self, read: Reader) -> None:
        """Too long or too short; blank lines do not count."""
        table = read("user,game,value\n1,Portal,1\n\n2,Do,om,1\n3,Quake\n4,Myst,2\n")
        assert table.frame["user_id"].to_list() == ["1", "4"]
        assert table.reasons == [
            (4, "width", "4 fields instead of 3"),
            (5, "width", "2 fields instead of 3"),
        ]

    def test_lines_that_are_no_json_are_named(self, read: Reader) -> None:
        """And the others stay."""
        table = read('{"user": 1, "game": "Portal"}\n{"user": 2, \n[1]\n')
        assert table.frame.height == 1
        assert [(line, reason) for line, reason, _ in table.reasons] == [(2, "json"), (3, "json")]

    def test_a_list_in_a_number_column_costs_its_row(self, read: Reader) -> None:
        """In JSONL, where each row has types of its own."""
        table = read('{"user":1,"game":"a","value":[1]}\n{"user":1,"game":"b","value":1}\n')
        assert table.reasons[0][:2] == (1, "number:value")


class TestTheSteamFile:
    """The published file, as it is."""

    def test_is_read_whole(self) -> None:
        """200,000 rows, none unreadable."""
        root = Path(__file__).parents[3]
        folder = Path(os.environ.get("FLYBALL_TEST_DATA", root.parent / "shared" / "data"))
        path = folder / "steam-200k.csv"
        if not path.exists():
            pytest.skip(f"the Steam file is not there: {path}")
        text = ColumnType.STRING
        schema = Schema(
            columns=(
                Column(name="user_id", type=text),
                Column(name="title", type=text),
                Column(name="event", type=text),
                Column(name="value", type=ColumnType.NUMBER),
            ),
            headerless=("user_id", "title", "event", "value", ""),
        )
        table = read_all(path, schema)
        assert table.frame.height == 200_000
        assert table.reasons == []
        assert table.lines == list(range(1, 200_001))
        assert table.frame["user_id"].n_unique() == 12_393
