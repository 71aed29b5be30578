"""A shop whose data knows its players by pseudonyms, with real files and records in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from ingest_world import PSEUDONYMS, World

from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.schema import Column, ColumnType, Privacy, Schema
from flyball.domain.traffic import Event
from flyball.settings import Gates
from flyball.steps.erase import Eraser
from flyball.steps.forget import Forget, Oblivion
from flyball.storage.served import FileServed
from flyball.testing.fakes import ManualClock

LATER = datetime(2099, 1, 1, 12, tzinfo=UTC)
"""Later than any file of a test: what was kept before counts as old."""

PLAYS = Schema(
    name="plays",
    columns=(
        Column(name="user_id", type=ColumnType.STRING, aliases=("user",), privacy=Privacy.PERSONAL),
        Column(name="value", type=ColumnType.NUMBER, minimum=0.0, maximum=100.0, unit="h"),
        Column(name="event", type=ColumnType.STRING, allowed=("purchase", "play"), required=False),
        Column(name="at", type=ColumnType.TIMESTAMP, required=False, nullable=True),
    ),
    key=("user_id", "value", "event", "at"),
)
GIFTS = Schema(
    name="gifts",
    columns=(
        Column(name="giver", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
        Column(name="taker", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
    ),
)
PRICES = Schema(name="prices", columns=(Column(name="price", type=ColumnType.NUMBER),))


class ListedEvents:
    """As much of the event store as forgetting needs."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def forget(self, model: str, user_id: str) -> int:
        """See ``Events.forget``."""
        stay = [e for e in self.events if (e.model, e.user_id) != (model, user_id)]
        gone = len(self.events) - len(stay)
        self.events = stay
        return gone


@dataclass
class Shop(World):
    """A model ``games`` with players' data."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(LATER))
    limits: Gates = field(default_factory=lambda: Gates(max_quarantined=0.9))
    schemas: tuple[Schema, ...] = (PLAYS, GIFTS, PRICES)
    events: ListedEvents = field(default_factory=ListedEvents)

    @property
    def eraser(self) -> Eraser:
        """Removes rows."""
        return Eraser(
            model="games",
            schemas=self.schemas,
            datasets=self.datasets,
            records=self.records,
            clock=self.clock,
            actor="operator:ada",
            scratch=self.root / "scratch",
        )

    def forget(self, user: str, reason: str = "") -> Oblivion:
        """Forget a person."""
        forget = Forget(
            eraser=self.eraser,
            pseudonyms=PSEUDONYMS,
            events=self.events,  # type: ignore[arg-type]
            served=self.served,
        )
        return forget(user, reason=reason)

    @property
    def served(self) -> FileServed:
        """Lists that were shown."""
        folder, keep = self.root / "served", timedelta(days=14)
        return FileServed(folder, keep=keep, limit=10**9, clock=self.clock)

    def file(self, header: str, *lines: str, name: str = "rows.csv") -> str:
        """A CSV file."""
        path = self.root / name
        path.write_text("\n".join((header, *lines)) + "\n")
        return str(path)

    def take(self, header: str, *lines: str) -> DataBatch:
        """Ingest rows."""
        return self.ingest(self.file(header, *lines), accept=True).batch

    def batch(self, batch_id: str) -> DataBatch:
        """A batch as it stands now."""
        return self.records.get(DataBatch, f"games/{batch_id}")

    def newest(self) -> DatasetVersion:
        """The version that the dataset's head names."""
        found: Sequence[DatasetVersion] = self.records.find(DatasetVersion, model="games")
        return self.records.get(DatasetVersion, f"games/{found[0].head}")

    def table(self, name: str = "plays") -> pl.DataFrame:
        """All rows of a table of the newest version."""
        files = self.newest().tables()[name]
        frames = [pl.read_parquet(self.datasets.path(md5)) for md5 in files]
        return pl.concat(frames, how="diagonal")

    def quarantine(self, batch_id: str) -> pl.DataFrame:
        """The quarantine of a batch."""
        return pl.read_parquet(self.datasets.path(self.batch(batch_id).quarantine))


def pseudonym(user: str) -> str:
    """What a player is called in the data."""
    return PSEUDONYMS.of(user)


def bytes_below(folder: Path) -> dict[str, Any]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
