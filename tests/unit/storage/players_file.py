"""A schema, files that fit it, and a reader of them, for the tests of sources."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.ports import Table
from flyball.storage.sources import FileSources

SCHEMA = Schema(
    columns=(
        Column(name="user_id", type=ColumnType.STRING, aliases=("user",)),
        Column(name="title", type=ColumnType.STRING, aliases=("game", "name")),
        Column(name="value", type=ColumnType.NUMBER, required=False, nullable=True),
        Column(
            name="timestamp",
            type=ColumnType.TIMESTAMP,
            required=False,
            nullable=True,
            aliases=("date",),
        ),
    ),
    headerless=("user_id", "title", "value", ""),
)
CSV = "user,game,value,date\n1,Portal,3.5,2020-01-02\n2,Doom,,\n"
ROWS = [("1", "Portal", 3.5, datetime(2020, 1, 2, tzinfo=UTC)), ("2", "Doom", None, None)]

Read = Callable[..., Table]


def reader(folder: Path) -> Read:
    """Reads these bytes, or this text, from a file with that name in ``folder``."""

    def reading(content: bytes | str, name: str = "players.csv") -> Table:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return FileSources().read(str(path), SCHEMA)

    return reading


def parquet(**columns: Any) -> bytes:
    """A Parquet file's bytes."""
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()
