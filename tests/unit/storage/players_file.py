"""A schema, files that fit it, and a reader of them, for the tests of sources."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.ports import DETAIL, LINE, REASON, Chunk
from flyball.storage.sources import FileSources

SCHEMA = Schema(
    name="interactions",
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
PRIVATE = Schema(
    name="payments",
    columns=(
        Column(name="card", type=ColumnType.NUMBER, privacy=Privacy.PERSONAL),
        Column(name="price", type=ColumnType.NUMBER),
    ),
)
CSV = "user,game,value,date\n1,Portal,3.5,2020-01-02\n2,Doom,,\n"
ROWS = [("1", "Portal", 3.5, datetime(2020, 1, 2, tzinfo=UTC)), ("2", "Doom", None, None)]


@dataclass(frozen=True)
class Read:
    """Everything that a reading gave."""

    schema: Schema
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    chunks: Sequence[Chunk]

    @property
    def frame(self) -> pl.DataFrame:
        """The rows, without their lines."""
        return pl.concat([chunk.frame for chunk in self.chunks]).drop(LINE)

    @property
    def lines(self) -> list[int]:
        """The line of each row."""
        return [line for chunk in self.chunks for line in chunk.frame[LINE].to_list()]

    @property
    def rejected(self) -> pl.DataFrame:
        """The rows that could not be read."""
        return pl.concat([chunk.rejected for chunk in self.chunks])

    @property
    def reasons(self) -> list[tuple[int, str, str]]:
        """Line, reason and detail of each of them."""
        return self.rejected.select(LINE, REASON, DETAIL).rows()

    @property
    def blank(self) -> int:
        """How many records held nothing."""
        return sum(chunk.blank for chunk in self.chunks)

    @property
    def unread_cells(self) -> Mapping[str, int]:
        """How many cells of lenient columns could not be read."""
        counts: Counter[str] = Counter()
        for chunk in self.chunks:
            counts.update(chunk.unread_cells)
        return counts


Reader = Callable[..., Read]


def read(location: Path | str, *schemas: Schema, block: int = 1 << 24) -> Read:
    """All of a source."""
    with FileSources(block=block).open(str(location), schemas or [SCHEMA]) as reading:
        return Read(reading.schema, reading.columns, reading.ignored, list(reading))


def reader(folder: Path) -> Reader:
    """Reads these bytes, or this text, from a file with that name in ``folder``."""

    def reading(
        content: bytes | str, *schemas: Schema, name: str = "players.csv", block: int = 1 << 24
    ) -> Read:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read(path, *schemas, block=block)

    return reading


def parquet(**columns: Any) -> bytes:
    """A Parquet file's bytes."""
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()
