"""What is said about files that cannot be used."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import zstandard
from players_file import CSV, Reader, parquet, reader
from players_file import read as read_all

from flyball.errors import DataQualityError, EnvironmentFailed


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Reads what a test hands in."""
    return reader(tmp_path)


PACKED = gzip.compress(CSV.encode() * 20, mtime=0)
FRAMED = zstandard.compress(CSV.encode() * 20)
STORED = parquet(user=[str(n) for n in range(500)], game=["Portal"] * 500)
REFUSED: list[tuple[bytes, str]] = [
    (b"", "empty"),
    (b"\n \n", "blank lines"),
    (gzip.compress(b""), "empty file in gzip"),
    (b"user,game,value\n", "no rows"),
    (b"user,game,value", "no rows"),
    (parquet(user=[], game=[]), "no rows"),
    (PACKED[:-12], "gzip data is cut short"),
    (PACKED[:30] + b"x" * 20 + PACKED[50:], "gzip data is damaged"),
    (FRAMED[:-6], "zstd data is cut short"),
    (FRAMED[:6] + b"\xff" * 12 + FRAMED[18:], "zstd data is damaged"),
    (STORED[:-20], "Parquet data is cut short"),
    (STORED[:4] + b"x" * (len(STORED) - 8) + STORED[-4:], "Parquet data is damaged"),
    (bytes(range(256)) * 4, "binary: byte 0"),
    (b"\x89PNG\r\n\x1a\n" + bytes([200, 1, 2, 3]) * 99, "binary"),
    (b"PK\x03\x04rest", "zip archive or a spreadsheet"),
    (CSV.encode("utf-16"), "UTF-16"),
    (CSV.encode("utf-16-le"), "UTF-16"),
    ("user,game\n1,Pok\u00e9mon\n".encode("latin-1"), r"byte 15 \(0xe9, line 2\)"),
    (b"user:game\n1:Portal\n", "no comma, semicolon, tab or bar"),
    (b'user,game\n1,Portal\n2,"Doom\n3,Quake\n', "line 3: .*quotes do not match"),
    (b'user,game\n1,"Por"tal\n', "quotes do not match"),
    (b'[{"user": 1, "game": "Portal"}]', "one JSON array"),
    (b"{nothing\n", "not JSONL: line 1"),
    (parquet(user=[[1]], game=["Portal"]), "flatten"),
]


class TestFilesThatCannotBeUsed:
    """Each gets an error that says what happened, to which file, and what to do."""

    @pytest.mark.parametrize(("content", "says"), REFUSED, ids=[says for _, says in REFUSED])
    def test_is_refused_with_the_reason(
        self, read: Reader, tmp_path: Path, content: bytes, says: str
    ) -> None:
        """And with the file's name."""
        with pytest.raises(DataQualityError, match=says) as caught:
            read(content)
        assert str(tmp_path / "players.csv") in str(caught.value)
        assert caught.value.exit_code == 1

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
    def test_a_file_without_permission(self, tmp_path: Path) -> None:
        """The environment failed, not the data."""
        path = tmp_path / "a.csv"
        path.write_text(CSV)
        path.chmod(0)
        with pytest.raises(EnvironmentFailed, match="permission"):
            read_all(path)
