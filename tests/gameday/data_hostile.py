"""Files that were made to hurt whoever reads them. Each is small on disk and quickly made."""

from __future__ import annotations

import gzip
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

HEADER = b"user_id,title,event,value\n"
GOOD = HEADER + b"".join(
    b"player-%d,%s,purchase,1\n" % (player, title)
    for player in range(20)
    for title in (b"Portal", b"Braid")
)
GIB = 1 << 30
PIECE = 1 << 20
WRITTEN = 40
"""MiB that are really written of a file of 1 GiB; the rest is a hole, and is never to be read."""


def one_line(begins: bytes) -> Callable[[Path], None]:
    """A plain file that is one line of 1 GiB after this beginning."""

    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.write(begins)
            for _ in range(WRITTEN):
                file.write(b"a" * PIECE)
            file.truncate(GIB)

    return make


def packed_line(path: Path) -> None:
    """A line of 1 GiB, as gzip: 64 members of 16 MiB, which make one text."""
    member = gzip.compress(b"a" * (16 * PIECE), 1)
    path.write_bytes(gzip.compress(HEADER) + member * 64)


def quotes(path: Path) -> None:
    """200 MB of nothing but quotes."""
    with path.open("wb") as file:
        file.write(HEADER)
        for _ in range(200):
            file.write(b'"' * 1_000_000)


def gzip_bomb(path: Path) -> None:
    """1 GiB of sound rows in 2 MB."""
    member = gzip.compress(b"player-1,Portal,purchase,1\n" * 600_000, 9)
    path.write_bytes(gzip.compress(GOOD) + member * 64)


def zstd_bomb(path: Path) -> None:
    """1 GiB of sound rows in 100 kB."""
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    with path.open("wb") as file:
        file.write(packer.compress(GOOD))
        for _ in range(64):
            file.write(packer.compress(b"player-1,Portal,purchase,1\n" * 600_000))
        file.write(packer.flush())


def zip_bomb(path: Path) -> None:
    """1 GiB of sound rows in 1 MB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("rows.csv", "w", force_zip64=True) as member,
    ):
        member.write(GOOD)
        for _ in range(64):
            member.write(b"player-1,Portal,purchase,1\n" * 600_000)


def lying_zip(path: Path) -> None:
    """A zip bomb whose directory says that its file has 1,000 bytes."""
    zip_bomb(path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("rows.csv").file_size
    told, wanted = size.to_bytes(4, "little"), (1000).to_bytes(4, "little")
    at = content.rindex(b"PK\x01\x02")
    assert content[at + 24 : at + 28] == told
    content[at + 24 : at + 28] = wanted
    path.write_bytes(content)


def archive_of(name: str, content: bytes = GOOD, mode: int = 0o644) -> Callable[[Path], None]:
    """A zip archive with one entry of this name."""

    def make(path: Path) -> None:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (mode | stat.S_IFREG if mode < stat.S_IFREG else mode) << 16
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(entry, content)

    return make


def encrypted(path: Path) -> None:
    """A zip archive whose entry says that it needs a password."""
    archive_of("rows.csv")(path)
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def formulas(path: Path) -> None:
    """Cells that a spreadsheet would carry out."""
    path.write_bytes(GOOD.replace(b"Portal", b'"=HYPERLINK(""http://evil.example"",""Portal"")"'))


def zero_bytes(path: Path) -> None:
    """Zero bytes in the middle of sound text."""
    path.write_bytes(GOOD + b"player-21,Port\0al,purchase,1\n" + GOOD)


def pipe(path: Path) -> None:
    """A pipe that nobody ever writes to."""
    os.mkfifo(path)


def looping_directory(path: Path) -> None:
    """A directory with a sound file, and links to itself, to above it and to a secret."""
    deep = path / "deep"
    deep.mkdir(parents=True)
    (path / "rows.csv").write_bytes(GOOD)
    for link, target in _links(path):
        link.symlink_to(target)


def _links(path: Path) -> Iterator[tuple[Path, Path]]:
    yield path / "itself", path
    yield path / "deep" / "above", path.parent
    yield path / "deep" / "again.csv", path / "deep" / "again.csv"
    yield path / "secret.csv", Path("/etc/passwd")
