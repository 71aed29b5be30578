"""Parquet that was damaged or made to do harm costs a file, never the process that reads it."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
import zlib
from pathlib import Path

import polars as pl
import pytest
from players_file import Reader, reader

from flyball.errors import DataQualityError
from flyball.storage.reading import parquet as checks
from flyball.storage.reading.parquet import check_pages
from flyball.storage.reading.proving import prove
from flyball.storage.reading.thrift import Compact

ROWS = 50
FRAME = pl.DataFrame({"user": [str(n) for n in range(ROWS)], "game": ["Portal"] * ROWS})
COUNT = bytes([0x15, 2 * ROWS])
"""How a page's header spells that it has so many values: an i32, in zigzag."""

DELTA = zlib.decompress(
    base64.b64decode(
        "eNpdkr1qG0EQx/ek8yGMESIwhw5UqNGRgCz2e2fATRpDwAbjNxD2kQ+iWD5FSZsHUOnOkC7kDVSnSBtwbaVxar+DPa"
        "sLOGSZZXdnfv/ZYWdPXp4qSGEXdo+gBeKZEIkQQoGAHPIxrBLoQQbZgJ1tnqskSVaJ4PCPlG0LdP8DviTpodhpt1vi"
        "93q2YfPvNs1m/av/PW4eIskjkp0tecvRn7NrvNysj6Oq7H798+0fculN0F4FR8YHVDbIQN5h9ATvA1nrrNaEXtoQjx"
        "zUznlvnSGtlZfKGZQWJSJppw0SR5W0DgNzygSLjFkVNOdETwZ5BLSGUPHVrFM+GGW1N9qyQJNxRG6bjKvhO7QkNMoT"
        "klFBamJQEVotjXMaKXiykBYHTvSzxdmbajaFVMDeqNVPl4uqHomj+IKN4/V0Vv115KukGBTjUgxgr3Ai6xUNDzGSn+"
        "fn5aTsvBhzBwW0Ylt6vBxEVVaU3AxO0WhHWbdoMjfS+5StfP9qwJruVnOVPmnymx2Gyg6v4vlwPq0vl9XH/bP5fH9a"
        "1xefh5+qevH24sNQ+4mcqGLMpcZq73ie8Id6BFWMfNk="
    )
)
"""70 rows of user and game, by pyarrow: game's values are delta-encoded, in one page."""

WIDTH = DELTA.index(b"\x80\x01\x04", DELTA.index(b"\x80\x01\x04") + 1) + 6
"""Where that page says how many bits each of its first lengths has."""

READ = """
import sys
from pathlib import Path
path, folder = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, folder)
from players_file import SCHEMA
from flyball.errors import DataQualityError
from flyball.storage.sources import FileSources
try:
    with FileSources(path.parent).open(str(path), [SCHEMA]) as reading:
        print("read", sum(chunk.frame.height for chunk in reading))
except DataQualityError as error:
    print("refused", error)
"""


def written(frame: pl.DataFrame = FRAME, compression: str = "uncompressed") -> bytes:
    """A Parquet file without statistics."""
    file = io.BytesIO()
    frame.write_parquet(file, compression=compression, statistics=False)  # type: ignore[arg-type]
    return file.getvalue()


def changed(content: bytes, at: int, value: int) -> bytes:
    """The same with one other byte."""
    return content[:at] + bytes([value]) + content[at + 1 :]


def elsewhere(content: bytes, folder: Path) -> str:
    """What a process of its own says of a file; it must live to say it."""
    path = folder / "players"
    path.write_bytes(content)
    command = [sys.executable, "-c", READ, str(path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


def counts(content: bytes) -> list[int]:
    """Where its pages say how many values they have: one at least for each of two columns."""
    data = content[: -8 - int.from_bytes(content[-8:-4], "little")]
    found = [place.end() - 1 for place in re.finditer(re.escape(COUNT), data)]
    assert len(found) >= 2
    return found


@pytest.fixture
def reading(tmp_path: Path) -> Reader:
    """Reads what a test hands in."""
    return reader(tmp_path)


class TestDamageThatEndedAProcess:
    """Each of these files made the Parquet reader abort: one byte is enough."""

    def test_a_page_of_less_than_no_values(self, tmp_path: Path) -> None:
        """Which asked for 2 EiB of memory."""
        content = written()
        damaged = changed(content, counts(content)[-1], 2 * ROWS - 1)
        said = elsewhere(damaged, tmp_path)
        assert said.startswith("refused")
        assert "players: the Parquet data is damaged" in said

    def test_lengths_inside_a_page(self, tmp_path: Path) -> None:
        """Which asked for 400 TB: only reading them tells, so a child does."""
        assert elsewhere(DELTA, tmp_path) == "read 70\n"
        said = elsewhere(changed(DELTA, WIDTH, 49), tmp_path)
        assert "the Parquet data is damaged (reading it ended a process by SIGABRT)" in said


class TestPages:
    """What a page's header may claim."""

    @pytest.mark.parametrize("compression", ["uncompressed", "zstd", "snappy"])
    def test_counts_that_cannot_be(self, reading: Reader, compression: str) -> None:
        """Less than nothing on any page, or more than the column has on a page of its values."""
        content = written(compression=compression)
        assert reading(content).frame.height == ROWS
        places = counts(content)
        for count in (2 * ROWS - 1, 127, 2 * ROWS + 2):
            for at in places if count % 2 else places[-1:]:
                with pytest.raises(DataQualityError, match="Parquet data is damaged"):
                    reading(changed(content, at, count))

    def test_only_the_columns_that_are_read_are_checked(self, tmp_path: Path) -> None:
        """Those of lists are known by the table's names, too."""
        frame = FRAME.select(tags=pl.Series([["a"]] * ROWS), user="user")
        content = written(frame)
        path = tmp_path / "lists"
        path.write_bytes(changed(content, counts(content)[-1], 2 * ROWS - 1))
        with pytest.raises(ValueError, match="less than nothing"):
            check_pages(path, {"user", "tags"})
        assert _passes(path, "tags")
        assert not _passes(path, "user")

    def test_rows_without_data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Repeats are free up to a bound; beyond it, they are there to fill the memory."""
        path = tmp_path / "repeats"
        pl.DataFrame({"user": ["1"] * 300_000}).write_parquet(path)
        assert _passes(path, "user")
        monkeypatch.setattr(checks, "_FREE_VALUES", 1000)
        assert not _passes(path, "user")

    def test_data_that_grows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A page that unpacks to far more than its size is not unpacked."""
        path = tmp_path / "zeros"
        frame = pl.DataFrame({"user": ["0" * 1_000_000 + str(n) for n in range(9)]})
        frame.write_parquet(path, compression="zstd")
        assert _passes(path, "user")
        monkeypatch.setattr(checks, "BOMB_FLOOR", 1000)
        assert not _passes(path, "user")


def _passes(path: Path, column: str) -> bool:
    try:
        check_pages(path, {column})
    except ValueError:
        return False
    return True


class TestTheChild:
    """Which reads a file first where its pages hold sizes of their own."""

    def test_only_where_it_is_needed(self, tmp_path: Path) -> None:
        """Its start takes longer than reading a small file."""
        path = tmp_path / "players"
        path.write_bytes(DELTA)
        assert check_pages(path, {"user"}) <= checks.TRUSTED
        assert not check_pages(path, {"user", "game"}) <= checks.TRUSTED

    def test_what_the_reader_says_itself_is_left_to_it(self, tmp_path: Path) -> None:
        """A child that only failed to read has proven enough."""
        path = tmp_path / "players"
        path.write_bytes(DELTA[:100] + DELTA[-200:])
        prove(path, ["user"])


class TestThrift:
    """The metadata's own spelling."""

    @pytest.mark.parametrize(
        ("data", "error"),
        [
            (b"", IndexError),
            (b"\x15", IndexError),
            (b"\x15" + b"\xff" * 20, ValueError),
            (b"\x18\xff\xff\xff\x7fabc", IndexError),
            (b"\x1c" * 99, ValueError),
            (b"\x19" * 99, ValueError),
            (b"\x1f\x00", ValueError),
            (b"\x19\xf5\xff\xff\xff\xff\x0f", IndexError),
        ],
    )
    def test_what_no_writer_writes(self, data: bytes, error: type[Exception]) -> None:
        """Ends in an error, not in a search without an end."""
        with pytest.raises(error):
            Compact(data).fields()

    def test_numbers_truths_and_parts(self) -> None:
        """Fields follow each other by difference, or have their own number."""
        spelt = "15 63  11  08 0a 02 61 62  19 25 01 02  1c 15 02 00  00"
        found = Compact(bytes.fromhex(spelt)).fields()
        assert found == {1: -50, 2: True, 5: b"ab", 6: [-1, 1], 7: {1: 1}}
