"""Reading lists that were shown: whole lines only, also of a file that is being written."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    import polars as pl

ENDING = ".jsonl.zst"
_NAME = re.compile(r"([01]\d|2[0-3])-\d+-[0-9a-f]+" + re.escape(ENDING))
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_BLOCK = 1 << 20


def files_in(folder: Path) -> list[Path]:
    """The files of a model's folder, by time; what others put there is passed over."""
    days = [day for day in folder.glob("*/") if _DAY.fullmatch(day.name)]
    found = [path for day in days for path in day.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found)


def hour_of(path: Path) -> datetime:
    """When the hour of a file began, UTC."""
    hour = path.name.partition("-")[0]
    return datetime.fromisoformat(f"{path.parent.name}T{hour}:00:00+00:00")


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, each with its end; a frame that was torn gives what it has.

    A file that is not there has none.
    """
    rest = b""
    for block in _blocks(path):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line + b"\n"


def read(folder: Path, since: datetime, until: datetime) -> pl.DataFrame:
    """Lists in the files of a model's folder, shown from ``since`` to ``until`` (excluded)."""
    import polars as pl

    at = pl.col("shown_at").cast(pl.Datetime("ms", "UTC")).cast(pl.Datetime("us", "UTC"))
    frames = [pl.DataFrame(schema=_schema())]
    for path in files_in(folder):
        if _overlaps(path, since, until) and (content := b"".join(lines(path))):
            frames.append(pl.read_ndjson(io.BytesIO(content), schema=_schema()))
    found = pl.concat(frames).with_columns(at)
    return found.filter(pl.col("shown_at").is_between(since, until, closed="left")).sort(
        "shown_at", "recommendation_id"
    )


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file, zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
        while True:
            try:
                block = stream.read(_BLOCK)
            except zstandard.ZstdError:
                return  # from here on the file is damaged
            if not block:
                return
            yield block


def _overlaps(path: Path, since: datetime, until: datetime) -> bool:
    began = hour_of(path)
    return began < until and began + timedelta(hours=1) > since


def _schema() -> pl.Schema:
    import polars as pl

    return pl.Schema(
        {
            "recommendation_id": pl.String(),
            "shown_at": pl.Int64(),
            "model": pl.String(),
            "version": pl.String(),
            "variant": pl.String(),
            "share": pl.Float64(),
            "user_id": pl.String(),
            "k": pl.Int64(),
            "item_ids": pl.List(pl.String()),
            "propensities": pl.List(pl.Float64()),
            "fallback": pl.String(),
            "filtered": pl.Boolean(),
            "trace_id": pl.String(),
        }
    )
