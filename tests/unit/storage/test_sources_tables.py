"""What a schema may ask of a file, and what is told of rows that cannot be read."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from players_file import PRIVATE, SCHEMA, Reader, parquet, read, reader

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.errors import DataQualityError
from flyball.ports import DETAIL, LINE, RAW, REASON
from flyball.storage.sources import FileSources

CATALOGUE = Schema(
    name="catalogue",
    columns=(
        Column(name="item_id", type=ColumnType.STRING, required=False, nullable=True),
        Column(name="title", type=ColumnType.STRING, required=False, aliases=("app_name",)),
        Column(name="genres", type=ColumnType.STRINGS, required=False, nullable=True),
        Column(
            name="price",
            type=ColumnType.NUMBER,
            required=False,
            nullable=True,
            lenient=True,
            spellings={"free to play": "0", "Free": "0"},
        ),
        Column(name="early", type=ColumnType.BOOLEAN, required=False, nullable=True),
        Column(name="cover", type=ColumnType.STRING, aliases=("url",)),
    ),
    one_of=(("item_id", "title"),),
)


@pytest.fixture
def reading(tmp_path: Path) -> Reader:
    """Reads what a test hands in."""
    return reader(tmp_path)


def arrow(*, stream: bool = False, rows: int = 2) -> bytes:
    """An Arrow file or stream, of several record batches."""
    file = io.BytesIO()
    frame = pl.DataFrame(
        {"user": [str(n) for n in range(rows)], "game": ["Portal"] * rows}
    ).with_columns(pl.col("game").cast(pl.Categorical))
    if stream:
        frame.write_ipc_stream(file)
    else:
        frame.write_ipc(file, compression="zstd")
    return file.getvalue()


class TestTypes:
    """Each type of a schema, from text and from typed files."""

    def test_truth(self, reading: Reader) -> None:
        """In six spellings, without case; anything else costs its row."""
        cells = ["true", "FALSE", "1", "0", "Yes", "no", "", "maybe"]
        text = "title,cover,early\n" + "".join(f"a,b,{cell}\n" for cell in cells)
        found = reading(text, CATALOGUE)
        assert found.frame["early"].to_list() == [True, False, True, False, True, False, None]
        assert found.reasons == [(9, "boolean:early", "early 'maybe' is neither true nor false")]

    @pytest.mark.parametrize("values", [[True, False], [1, 0], [1.0, 0.0], ["yes", "no"]])
    def test_truth_in_typed_files(self, reading: Reader, values: list[object]) -> None:
        """Their own, or numbers."""
        content = parquet(title=["a", "b"], cover=["c", "d"], early=values)
        assert reading(content, CATALOGUE).frame["early"].to_list() == [True, False]

    @pytest.mark.parametrize(
        ("cell", "meant"),
        [
            ('["Indie", " Action ", ""]', ["Indie", "Action"]),
            ("Indie; Action;;", ["Indie", "Action"]),
            ('["a;b"]', ["a;b"]),
            ('["\\u00e9", 1, null]', ["é", "1"]),
            ("[]", []),
            ("", None),
        ],
    )
    def test_lists_in_cells(self, reading: Reader, cell: str, meant: list[str] | None) -> None:
        """As JSON, or divided by semicolons."""
        quoted = '"' + cell.replace('"', '""') + '"'
        found = reading(f"title,cover,genres\na,b,{quoted}\n", CATALOGUE)
        assert found.frame["genres"].to_list() == [meant]

    def test_lists_in_json_and_typed_files(self, reading: Reader) -> None:
        """As they are; a list in a list costs its row."""
        text = (
            '{"title":"a","cover":"c","genres":["x","y"]}\n'
            '{"title":"a","cover":"c","genres":[["x"]]}\n'
            '{"title":"a","cover":"c","genres":"x;y"}\n'
        )
        found = reading(text, CATALOGUE)
        assert found.frame["genres"].to_list() == [["x", "y"], ["x", "y"]]
        assert [row[:2] for row in found.reasons] == [(2, "strings:genres")]
        content = parquet(title=["a"], cover=["c"], genres=[["x", None, " y"]])
        assert reading(content, CATALOGUE).frame["genres"].to_list() == [["x", "y"]]

    def test_lenient_cells_count_as_missing(self, reading: Reader) -> None:
        """Their row stays, and they are counted; spellings stand for what they mean."""
        text = "title,cover,price\na,b,Free to Play\na,b,FREE\na,b,soon\na,b,1.5\na,b,\n"
        found = reading(text, CATALOGUE)
        assert found.frame["price"].to_list() == [0.0, 0.0, None, 1.5, None]
        assert found.unread_cells == {"price": 1}
        assert found.reasons == []

    def test_decimals_and_other_times_of_typed_files(self, reading: Reader) -> None:
        """Become what the schema says."""
        content = parquet(
            user=[1], game=["Portal"], value=[Decimal("1.50")], date=[datetime(2020, 1, 2).date()]
        )
        assert reading(content).frame.rows() == [
            ("1", "Portal", 1.5, datetime(2020, 1, 2, tzinfo=UTC))
        ]

    def test_a_time_where_a_number_must_be_is_refused(self, reading: Reader) -> None:
        """No count of microseconds is taken for hours played."""
        with pytest.raises(DataQualityError, match=r"players\.csv: column 'value' holds Datetime"):
            reading(parquet(user=["1"], game=["a"], value=[datetime(2020, 1, 2)]))

    def test_mixed_spellings_of_times(self, reading: Reader) -> None:
        """Whatever the first one is."""
        cells = ["2020-01-02T03:04:05Z", "2020-01-02", "1577934245", "2020-01-02 03:04:05", "x", ""]
        found = reading("user,game,date\n" + "".join(f"1,a,{cell}\n" for cell in cells))
        second, day = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
        assert found.frame["timestamp"].to_list() == [second, day, second, second, None]
        assert [row[:2] for row in found.reasons] == [(6, "timestamp:timestamp")]


class TestTables:
    """Several tables may come, one a source."""

    def test_the_first_that_fits_counts(self, reading: Reader) -> None:
        """By its columns."""
        assert reading("user,game\n1,a\n", SCHEMA, CATALOGUE).schema is SCHEMA
        found = reading("title,cover,publisher\na,b,c\n", SCHEMA, CATALOGUE)
        assert found.schema is CATALOGUE
        assert (found.columns, found.ignored) == (("title", "cover"), ("publisher",))

    @pytest.mark.parametrize(
        "content",
        ["price,cover\n1,b\n", '{"price":1,"cover":"b"}', parquet(price=[1], cover=["b"])],
    )
    def test_where_none_fits_it_is_said_what_each_lacks(
        self, reading: Reader, content: bytes | str
    ) -> None:
        """With all names there could be."""
        with pytest.raises(DataQualityError) as caught:
            reading(content, SCHEMA, CATALOGUE)
        assert (
            "lacks for the table interactions user_id (or user); title (or game, name), and "
            "lacks for the table catalogue item_id or else title (or app_name). "
        ) in str(caught.value)

    def test_a_header_is_not_taken_for_a_row_of_another_table(self, reading: Reader) -> None:
        """Though that table may come without one, and is as wide."""
        found = reading("item_id,cover,genres,early\n1,b,,\n", SCHEMA, CATALOGUE)
        assert found.schema is CATALOGUE

    def test_a_single_column(self, reading: Reader) -> None:
        """Is a table too; blank lines are none of its rows."""
        only = Schema(columns=(Column(name="user", type=ColumnType.STRING),))
        found = reading('user\n1\n\n"2"\n""\n', only)
        assert (found.frame["user"].to_list(), found.lines, found.blank) == (["1", "2"], [2, 4], 1)


class TestWhatIsTold:
    """Of rows that could not be read."""

    def test_the_cells_and_the_line(self, reading: Reader) -> None:
        """As text, under canonical names; the whole line where it has no cells."""
        found = reading("user,game,value\n1,a,x\n2,b\n3,c,1\n").rejected
        assert found.rows(named=True) == [
            {
                LINE: 2,
                REASON: "number:value",
                DETAIL: "value 'x' is not a finite number",
                RAW: None,
                "user_id": "1",
                "title": "a",
                "value": "x",
            },
            {
                LINE: 3,
                REASON: "width",
                DETAIL: "2 fields instead of 3",
                RAW: "2,b",
                "user_id": None,
                "title": None,
                "value": None,
            },
        ]

    def test_nothing_personal(self, reading: Reader) -> None:
        """Neither the value in words, nor the line of a table with personal columns."""
        found = reading("card,price\n4711-0815,1\n1,2,4711-0815\n", PRIVATE)
        assert found.rejected[REASON].to_list() == ["number:card", "width"]
        assert found.rejected[DETAIL].to_list() == [
            "card is not a finite number",
            "3 fields instead of 2",
        ]
        assert found.rejected[RAW].to_list() == [None, None]
        broken = reading('{"card":1,"price":2}\n{"card":4711-0815}\n', PRIVATE).rejected
        assert "4711" not in str(broken.rows())

    def test_records_without_a_value_are_counted(self, reading: Reader) -> None:
        """And passed over; a value that the schema does not know is one."""
        found = reading("user,game,note\n,,\n , ,\n,,x\n1,a,\n")
        assert (found.blank, found.frame.height, found.lines) == (2, 2, [4, 5])
        found = reading(
            '{"user":NaN,"game":null}\n{}\n{"user":null,"x":1}\n{"user":1,"game":"a"}\n'
        )
        assert (found.blank, found.frame.height, found.lines) == (2, 2, [3, 4])

    def test_lines_after_quoted_line_ends(self, reading: Reader) -> None:
        """A row's line is the one it begins on."""
        found = reading('user,game\r\n1,"a\r\nb"\r\n\r\n2,c\r\n3\r\n"4\n5",d\r\n6,e')
        assert found.lines == [2, 5, 7, 9]
        assert [row[:2] for row in found.reasons] == [(6, "width")]

    def test_quotes_in_odd_places(self, reading: Reader) -> None:
        """Mean themselves inside a cell that none opens; no row around them is lost."""
        rows = [
            f"{n},{'a' if n % 3001 else chr(34) + 'b' + chr(10) + chr(34)}" for n in range(30_000)
        ]
        for odd in (7, 8, 12_345, 29_999):
            rows[odd] = f'{odd},5" disk'
        found = reading("user,game\n" + "\n".join(rows), block=1 << 17)
        titles = found.frame["title"].to_list()
        assert found.frame["user_id"].to_list() == [str(n) for n in range(30_000)]
        assert [n for n, title in enumerate(titles) if title == '5" disk'] == [7, 8, 12_345, 29_999]
        assert found.lines == [2 + n + -(-n // 3001) for n in range(30_000)]


class TestOtherKinds:
    """JSON as people write it, and Arrow."""

    def test_python_literals(self, reading: Reader) -> None:
        """As UCSD published its rows."""
        text = (
            "{u'title': u'It\\'s \"a\"', 'early': False, 'cover': 'c', 'genres': ['x', u'y']}\n"
            "{'title': __import__('os').getcwd(), 'cover': 'c'}\n"
        )
        found = reading(text, CATALOGUE)
        assert found.frame.rows() == [('It\'s "a"', ["x", "y"], False, "c")]
        assert [row[:2] for row in found.reasons] == [(2, "json")]

    @pytest.mark.parametrize(
        "line",
        [
            '{"title": "\\ud800", "cover": "c"}',
            "[" * 100_000,
            "{" * 100_000,
            "{'a': " + "-" * 99_999,
        ],
    )
    def test_lines_made_to_break_a_parser(self, reading: Reader, line: str) -> None:
        """Are rejected like others."""
        found = reading('{"title": "a", "cover": "b"}\n' + line + "\n", CATALOGUE)
        assert found.frame.height == 1
        assert [row[:2] for row in found.reasons] == [(2, "json")]

    def test_a_column_that_begins_late(self, reading: Reader) -> None:
        """Is found, though far more than is looked at first comes before."""
        first = '{"user": "1", "game": "' + "x" * 1000 + '"}\n'
        found = reading(first * 5000 + '{"user": "2", "game": "y", "value": 1}\n', block=1 << 20)
        assert found.columns == ("user_id", "title", "value")
        assert found.frame["value"].to_list()[-2:] == [None, 1.0]

    @pytest.mark.parametrize("stream", [False, True])
    def test_arrow(self, reading: Reader, stream: bool) -> None:
        """Files and streams; rows are counted from one."""
        found = reading(arrow(stream=stream, rows=300_000))
        assert found.frame.height == 300_000
        assert found.frame.row(-1) == ("299999", "Portal")
        assert found.lines == list(range(1, 300_001))
        assert len(found.chunks) > 1

    @pytest.mark.parametrize("content", [arrow(), parquet(user=["0", "1"], game=["Portal"] * 2)])
    def test_names_that_look_like_patterns(self, tmp_path: Path, content: bytes) -> None:
        """Are names, where such a file is there."""
        (tmp_path / "value=7").mkdir()
        path = tmp_path / "value=7" / "a[1]*"
        path.write_bytes(content)
        assert read(path).frame.rows() == [("0", "Portal"), ("1", "Portal")]

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (arrow()[:-9], "Arrow data is cut short"),
            (arrow(stream=True)[:-60], "Arrow data is cut short"),
            (arrow(stream=True)[:9], "Arrow data is cut short"),
            (b"\xff\xff\xff\xff" + b"x" * 100, "Arrow data is damaged"),
            (arrow(rows=0), "no rows"),
            (arrow(rows=0, stream=True), "no rows"),
        ],
    )
    def test_broken_arrow(self, reading: Reader, content: bytes, says: str) -> None:
        """Is named."""
        with pytest.raises(DataQualityError, match=says):
            reading(content)

    @pytest.mark.parametrize("claimed", [-2, 1 << 33, 1 << 62])
    @pytest.mark.parametrize("stream", [False, True])
    def test_a_column_that_claims_more_than_there_is(
        self, reading: Reader, claimed: int, stream: bool
    ) -> None:
        """Is refused before anybody asks for so much memory, which would end the process."""
        file = io.BytesIO()
        frame = pl.DataFrame({"user": ["1"] * 999, "game": ["Portal and more than that"] * 999})
        if stream:
            frame.write_ipc_stream(file, compression="zstd")
        else:
            frame.write_ipc(file, compression="zstd")
        content, at = file.getvalue(), -1
        assert reading(content).frame.height == 999
        while (at := content.find(b"\x28\xb5\x2f\xfd", at + 1)) >= 0:
            damaged = content[: at - 8] + claimed.to_bytes(8, "little", signed=True) + content[at:]
            with pytest.raises(DataQualityError, match="Arrow data is damaged"):
                reading(damaged)


class TestTheSteamCatalogue:
    """The published file, as it is."""

    def test_is_read_whole(self) -> None:
        """Its empty records are counted, and none of the others is lost."""
        root = Path(__file__).parents[3]
        folder = Path(os.environ.get("FLYBALL_TEST_DATA", root.parent / "shared" / "data"))
        path = folder / "steam_games.json.gz"
        if not path.exists():
            pytest.skip(f"the Steam catalogue is not there: {path}")
        found = read(path, CATALOGUE)
        assert (found.frame.height, found.blank, found.reasons) == (32_135, 88_310, [])
        assert found.frame["genres"].null_count() < 3_300
        assert 0 < found.unread_cells["price"] < 30


def test_a_frozen_source_is_read_again_and_again(
    tmp_path: Path,
) -> None:
    """Nothing is kept between two readings of one."""
    path = tmp_path / "a.csv"
    path.write_text("user,game\n1,a\n")
    path.chmod(0o400)
    sources = FileSources(tmp_path / "scratch")
    with sources.open(str(path), [SCHEMA]) as reading:
        assert [chunk.frame.height for chunk in reading] == [1]
        assert [chunk.frame.height for chunk in reading] == [1]
    assert list((tmp_path / "scratch").iterdir()) == []
