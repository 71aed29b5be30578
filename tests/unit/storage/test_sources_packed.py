"""Packed files, archives and files without end: read in bounded memory, or refused."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from players_file import CSV, ROWS, Reader, parquet, read, reader

from flyball.errors import DataQualityError


@pytest.fixture
def reading(tmp_path: Path) -> Reader:
    """Reads what a test hands in."""
    return reader(tmp_path)


MEASURED = """
import re, sys
from pathlib import Path
from players_file import SCHEMA
from flyball.errors import DataQualityError
from flyball.storage.sources import FileSources
try:
    with FileSources().open(sys.argv[1], [SCHEMA]) as reading:
        for chunk in reading:
            pass
except DataQualityError as error:
    status = Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024, error)
"""


def refusal(path: Path) -> str:
    """Why a file is refused, by a process of its own that stays below 400 MiB of memory."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    mebibytes, _, why = ran.stdout.partition(" ")
    assert int(mebibytes) < 400
    return why


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """An archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    """The entry of a symbolic link."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def encrypted(content: bytes) -> bytes:
    """The same archive, marked as encrypted."""
    central = content.index(b"PK\x01\x02")
    local = content.index(b"PK\x03\x04")
    marked = bytearray(content)
    marked[central + 8] |= 1
    marked[local + 6] |= 1
    return bytes(marked)


HOSTILE = [
    (zipped(("../up.csv", CSV.encode())), r"'\.\./up\.csv' points out of the archive"),
    (zipped(("a/../../up.csv", CSV.encode())), "points out of the archive"),
    (zipped(("/etc/up.csv", CSV.encode())), "points out of the archive"),
    (zipped(("C:\\up.csv", CSV.encode())), "points out of the archive"),
    (zipped(("a.csv", CSV.encode()), (link("b.csv"), b"/etc/passwd")), "is a link"),
    (encrypted(zipped(("a.csv", CSV.encode()))), "is encrypted"),
    (zipped(("a.csv.gz", gzip.compress(CSV.encode()))), "packed a second time"),
    (zipped(("a.zip", zipped(("a.csv", CSV.encode())))), "packed a second time"),
    (gzip.compress(gzip.compress(CSV.encode())), "packed a second time"),
    (zipped(), "without a file in it"),
    (zipped(("[Content_Types].xml", b"<x/>"), ("xl/a.xml", b"<x/>")), "a spreadsheet"),
    (zipped(("a.csv", CSV.encode()))[:-30], "damaged zip archive"),
    (zipped(("a.csv", b"")), "holds an empty file in zip"),
    (zipped(*((f"{n}.csv", b"") for n in range(10_001))), "holds 10,001 files"),
]


class TestArchives:
    """Their files are one source."""

    def test_one_file_in_a_zip(self, reading: Reader) -> None:
        """Is that file."""
        found = reading(zipped(("players.csv", CSV.encode())))
        assert found.frame.rows() == ROWS
        assert {chunk.file for chunk in found.chunks} == {""}

    def test_several_files_in_a_zip(self, reading: Reader) -> None:
        """One after the other, by name; directories, hidden files and macOS' own do not count."""
        found = reading(
            zipped(
                ("b/2.csv", b"user,game\n2,Doom\n"),
                ("b/1.csv", b"game,user\nPortal,1\n"),
                ("empty/", b""),
                (".DS_Store", b"x"),
                ("__MACOSX/b/._1.csv", b"x"),
            )
        )
        assert found.frame.rows() == [("1", "Portal"), ("2", "Doom")]
        assert [chunk.file for chunk in found.chunks] == ["b/1.csv", "b/2.csv"]
        assert found.lines == [2, 2]

    def test_files_of_all_kinds_in_a_zip(self, reading: Reader) -> None:
        """Parquet is unpacked to disk, since it is read from its end."""
        found = reading(
            zipped(
                ("1.csv", b"user,game\n1,Portal\n"),
                ("2.jsonl", b'{"user": "2", "game": "Doom"}\n'),
                ("3.parquet", parquet(user=["3"], game=["Quake"])),
            )
        )
        assert found.frame["title"].to_list() == ["Portal", "Doom", "Quake"]

    def test_a_packed_parquet_file(self, reading: Reader) -> None:
        """gzip and zstd as well."""
        content = parquet(user=["3"], game=["Quake"])
        for packed in (gzip.compress(content), zstandard.compress(content)):
            assert reading(packed).frame.rows() == [("3", "Quake")]

    @pytest.mark.parametrize(
        ("content", "says"),
        HOSTILE,
        ids=[says for _, says in HOSTILE],
    )
    def test_hostile_and_broken_archives_are_refused(
        self, reading: Reader, content: bytes, says: str
    ) -> None:
        """With the entry that gives them away."""
        with pytest.raises(DataQualityError, match=says):
            reading(content)

    def test_a_damaged_file_in_an_archive_is_found(self, reading: Reader) -> None:
        """Its checksum says so."""
        content = bytearray(zipped(("a.csv", CSV.encode() + b"9,Doom,,\n" * 3)))
        at = content.index(b"PK\x01\x02") + 16
        content[at : at + 4] = struct.pack("<I", zlib.crc32(b"other"))
        at = content.index(b"PK\x03\x04") + 14
        content[at : at + 4] = struct.pack("<I", zlib.crc32(b"other"))
        with pytest.raises(DataQualityError, match=r"a\.csv.*zip data is damaged"):
            reading(bytes(content))


class TestSeveralFiles:
    """Must be parts of one table."""

    def test_a_folder_is_read_file_by_file(self, tmp_path: Path) -> None:
        """Each with its own lines."""
        (tmp_path / "1.csv").write_text("user,game\n1,Portal\n")
        (tmp_path / "2.csv").write_text("user;game\n2;Doom\n3;Quake\n")
        found = read(tmp_path)
        assert found.frame["title"].to_list() == ["Portal", "Doom", "Quake"]
        assert found.lines == [2, 2, 3]
        assert [Path(chunk.file).name for chunk in found.chunks] == ["1.csv", "2.csv"]

    def test_other_columns_are_refused(self, tmp_path: Path) -> None:
        """With both names and the difference."""
        (tmp_path / "1.csv").write_text("user,game,date\n1,Portal,\n")
        (tmp_path / "2.csv").write_text("user,game,value\n2,Doom,\n")
        with pytest.raises(DataQualityError) as caught:
            read(tmp_path)
        assert "1.csv and " in str(caught.value)
        assert "2.csv lacks timestamp" in str(caught.value)
        assert "2.csv has value" in str(caught.value)


class TestFilesWithoutEnd:
    """Are refused long before they fill the memory."""

    def test_a_line_of_a_gigabyte(self, tmp_path: Path) -> None:
        """In a file with holes, so that it takes no disk."""
        path = tmp_path / "long.csv"
        with path.open("wb") as file:
            file.write(b"user,game\n1,")
            file.truncate(1 << 30)
        assert "line 2: one record is longer than 16 MiB" in refusal(path)

    @pytest.mark.parametrize("start", [b"", b'{"user": "', b'user,game\n1,Portal\n2,"', b"["])
    def test_a_line_without_end(self, tmp_path: Path, start: bytes) -> None:
        """At the start of a file, in JSON, in a quoted cell."""
        path = tmp_path / "long.csv"
        with path.open("wb") as file:
            file.write(start)
            for _ in range(48):
                file.write(b"x, " * (1 << 19))
        with pytest.raises(DataQualityError, match=r"longer than 16 MiB|one JSON array"):
            read(path)

    @pytest.mark.parametrize("kind", ["gzip", "zstd", "zip"])
    def test_a_bomb(self, tmp_path: Path, kind: str) -> None:
        """Gigabytes of the same, packed into a megabyte or less."""
        line = b"1,Portal\n" * (1 << 16)
        packer = {
            "gzip": zlib.compressobj(9, wbits=31),
            "zstd": zstandard.ZstdCompressor().compressobj(),
        }
        if kind == "zip":
            file = io.BytesIO()
            with (
                zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
                archive.open("a.csv", "w") as member,
            ):
                member.write(b"user,game\n")
                for _ in range(300):
                    member.write(line)
            content = file.getvalue()
        else:
            pack = packer[kind]
            parts = [pack.compress(b"user,game\n"), *(pack.compress(line) for _ in range(300))]
            content = b"".join([*parts, pack.flush()])
        assert len(content) < 600_000
        path = tmp_path / "bomb"
        path.write_bytes(content)
        assert f"the {kind} data grows over 200 times" in refusal(path)

    def test_what_packs_well_is_no_bomb_while_it_is_small(self, reading: Reader) -> None:
        """A small file of equal rows is fine."""
        found = reading(gzip.compress(b"user,game\n" + b"1,Portal\n" * 100_000, 9))
        assert found.frame.height == 100_000


class TestFurtherDown:
    """What is wrong in the middle of a large file is said with its place."""

    ROW = b"1,Portal\n"

    def test_another_encoding(self, reading: Reader) -> None:
        """Byte and line, whatever the block."""
        content = b"user,game\n" + self.ROW * 5000 + "2,Pok\u00e9mon\n".encode("latin-1")
        at = content.index(b"\xe9")
        for block in (4096, 1 << 24):
            with pytest.raises(DataQualityError, match=rf"byte {at} \(0xe9, line 5002\)"):
                reading(content, block=block)

    def test_a_zero_byte(self, reading: Reader) -> None:
        """Likewise."""
        content = b"user,game\n" + self.ROW * 5000 + b"2,a\0b\n"
        with pytest.raises(DataQualityError, match=r"byte 45013 is zero \(line 5002\)"):
            reading(content, block=4096)

    @pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
    def test_a_cut_stream(self, reading: Reader, pack: Callable[[bytes], bytes]) -> None:
        """Found at its end, after good rows were given."""
        content = pack(b"user,game\n" + self.ROW * 5000)
        with pytest.raises(DataQualityError, match="data is cut short"):
            reading(content[:-5], block=4096)

    def test_quotes_that_do_not_match(self, reading: Reader) -> None:
        """With the line where the record begins."""
        content = b"user,game\n" + self.ROW * 5000 + b'2,"Doom\n3,Quake\n'
        with pytest.raises(DataQualityError, match=r"line 5002: .*quotes do not match"):
            reading(content, block=4096)
