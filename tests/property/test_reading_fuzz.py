"""Any file is read, rejected in part, or refused in our own words; and it is never altered."""

from __future__ import annotations

import gzip
import io
import os
import random
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.errors import DataQualityError
from flyball.ports import DETAIL, LINE, RAW, REASON
from flyball.storage.sources import FileSources

SCHEMA = Schema(
    columns=(
        Column(name="user", type=ColumnType.STRING, aliases=("user_id",)),
        Column(name="title", type=ColumnType.STRING, aliases=("app_name", "item_id")),
        Column(name="hours", type=ColumnType.NUMBER, required=False, aliases=("price",)),
        Column(name="date", type=ColumnType.TIMESTAMP, required=False, aliases=("release_date",)),
        Column(name="tags", type=ColumnType.STRINGS, required=False, lenient=True),
        Column(name="early", type=ColumnType.BOOLEAN, required=False, aliases=("early_access",)),
    ),
    headerless=("user", "title", "", "hours", ""),
)
CATALOGUE = Schema(
    name="catalogue",
    columns=tuple(c for c in SCHEMA.columns if c.name not in ("user", "hours")),
)
TYPES = {
    "user": pl.String(),
    "title": pl.String(),
    "hours": pl.Float64(),
    "date": pl.Datetime("us", "UTC"),
    "tags": pl.List(pl.String()),
    "early": pl.Boolean(),
}
FRAME = pl.DataFrame(
    {
        "user": [f"u{n % 7}" for n in range(60)],
        "title": [f'A "game", no. {n}' for n in range(60)],
        "hours": [n / 4 for n in range(60)],
        "date": ["2020-01-02T03:04:05Z"] * 60,
    }
)


def written(write: Callable[[pl.DataFrame, io.BytesIO], object]) -> bytes:
    """A small file."""
    file = io.BytesIO()
    write(FRAME, file)
    return file.getvalue()


def zipped(content: bytes) -> bytes:
    """Two files in an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
        archive.writestr("b.csv", content)
    return file.getvalue()


CSV = written(pl.DataFrame.write_csv)
TAGGED = FRAME.with_columns(tags=pl.lit('["a", "b;c"]').str.json_decode(pl.List(pl.String)))
JSONL = written(lambda _, file: TAGGED.with_columns(early=True).write_ndjson(file))
SEEDS = {
    "csv": CSV,
    "jsonl": JSONL,
    "literals": JSONL.replace(b"true", b"True").replace(b'"', b"'"),
    "parquet": written(lambda _, file: TAGGED.write_parquet(file)),
    "arrow": written(lambda _, file: TAGGED.write_ipc(file)),
    "arrow packed": written(lambda _, file: TAGGED.write_ipc(file, compression="zstd")),
    "stream": written(lambda _, file: TAGGED.write_ipc_stream(file)),
    "gzip": gzip.compress(CSV, mtime=0),
    "zstd": zstandard.compress(CSV),
    "zip": zipped(CSV),
    "parquet in gzip": gzip.compress(written(lambda frame, file: frame.write_parquet(file))),
}


def outcome(content: bytes, block: int = 1 << 24) -> str:
    """What becomes of a file; asserts what holds for every one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "players"
        path.write_bytes(content)
        said = "read, players"
        try:
            with FileSources(Path(folder), block=block).open(
                str(path), [SCHEMA, CATALOGUE]
            ) as reading:
                for chunk in reading:
                    assert set(chunk.frame.columns) == {*reading.columns, LINE}
                    assert all(chunk.frame[name].dtype == TYPES[name] for name in reading.columns)
                    assert chunk.rejected.columns == [LINE, REASON, DETAIL, RAW, *reading.columns]
                    assert not chunk.rejected[REASON].has_nulls()
        except DataQualityError as error:
            said = f"refused, {error}"
        assert "players" in said
        assert path.read_bytes() == content
        assert os.listdir(folder) == ["players"], "nothing is left behind"
        return said.partition(",")[0]


def mutated(content: bytes, random: random.Random) -> bytes:
    """A few bytes changed, cut out, repeated or put in."""
    data = bytearray(content)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(data) + 1)
        size = random.choice([1, 1, 2, 8, 64])
        match random.randrange(5):
            case 0:
                data[at : at + size] = random.randbytes(size)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size]
            case 3:
                data[at : at + 1] = random.choice([b"\0", b'"', b"\n", b"\r", b",", b"\xff", b"{"])
            case _:
                data[at:at] = data[random.randrange(len(data) + 1) :][:size]
    return bytes(data)


@pytest.mark.parametrize("kind", SEEDS)
def test_a_sound_file_is_read(kind: str) -> None:
    """What is damaged below was sound."""
    assert outcome(SEEDS[kind]) == "read"


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode), st.integers(1, 64))
def test_any_bytes(content: bytes, block: int) -> None:
    """From nothing to noise."""
    assert outcome(content, block) in ("read", "refused")


@pytest.mark.parametrize("kind", SEEDS)
@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([64, 1 << 24]))
def test_damaged_files(kind: str, random: random.Random, block: int) -> None:
    """Of every kind, packed and plain."""
    assert outcome(mutated(SEEDS[kind], random), block) in ("read", "refused")


@cache
def real(name: str) -> bytes:
    """The beginning of a published file."""
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("FLYBALL_TEST_DATA", root.parent / "shared" / "data"))
    if not (folder / name).exists():
        pytest.skip(f"the published file is not there: {folder / name}")
    content = (folder / name).read_bytes()
    if name.endswith(".gz"):
        lines = gzip.decompress(content).splitlines(keepends=True)
        return b"".join(lines[-400:-200] + lines[:20])
    return content if name.endswith(".parquet") else content[:30_000]


@pytest.mark.parametrize(
    "name",
    [
        "steam-200k.csv",
        "steam_games.json.gz",
        "steam_reviews_2010_2015.csv",
        "adult.data",
        "split_steam_plays.parquet",
    ],
)
@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_damaged_real_files(name: str, random: random.Random) -> None:
    """As they may arrive from a bad disk or a cut connection."""
    assert outcome(mutated(real(name), random), 4096) in ("read", "refused")
