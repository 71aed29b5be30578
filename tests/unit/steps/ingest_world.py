"""A home with real storage for data and records in memory, for the tests of ingest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from flyball.domain.canonical import canonical_json
from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.privacy import Pseudonyms
from flyball.domain.schema import Column, ColumnType, Schema
from flyball.ports import Datasets, Records
from flyball.settings import Gates
from flyball.steps.ingest import Ingest
from flyball.steps.shelf import Ingested
from flyball.storage.datasets import DvcDatasets
from flyball.storage.sources import FileSources
from flyball.testing.fakes import ManualClock, MemoryRecords

SCHEMA = Schema(
    name="plays",
    columns=(
        Column(name="user_id", type=ColumnType.STRING, aliases=("user",)),
        Column(name="value", type=ColumnType.NUMBER, minimum=0.0),
    ),
    key=("user_id", "value"),
)
PSEUDONYMS = Pseudonyms(b"a key of the tests")


@dataclass
class World:
    """A home with real storage for data, and records in memory."""

    root: Path
    records: Records = field(default_factory=MemoryRecords)
    clock: ManualClock = field(default_factory=ManualClock)
    limits: Gates = field(default_factory=Gates)
    schemas: tuple[Schema, ...] = (SCHEMA,)

    def __post_init__(self) -> None:
        self.datasets: Datasets = DvcDatasets(self.root / "home", str(self.root / "remote"))

    def source(self, text: str, name: str = "players.csv") -> str:
        """A file with this content; its header is added."""
        path = self.root / name
        path.write_text(f"user,value\n{text}")
        return str(path)

    def ingest(
        self, location: str, batch_id: str | None = None, *, accept: bool = False
    ) -> Ingested:
        """Ingest a source into the model ``games``."""
        scratch = self.root / "scratch"
        ingest = Ingest(
            model="games",
            schemas=self.schemas,
            limits=self.limits,
            pseudonyms=PSEUDONYMS,
            sources=FileSources(scratch),
            datasets=self.datasets,
            records=self.records,
            clock=self.clock,
            actor="operator:ada",
            scratch=scratch,
        )
        return ingest(location, batch_id=batch_id, accept=accept)

    def state(self) -> dict[str, Any]:
        """Everything that an ingest leaves behind, for comparison."""
        newest = self.records.find(DatasetVersion, model="games", limit=1)
        workspace = self.root / "home" / "data"
        return {
            "batches": sorted(canonical_json(b) for b in self.records.find(DataBatch)),
            "newest": newest,
            "ledger": [row.entry for row in self.records.ledger()],
            "workspace": {
                str(path.relative_to(workspace)): path.read_bytes()
                for path in workspace.rglob("*")
                if path.is_file()
            },
            "scratch": list((self.root / "scratch").glob("*")),
        }

    def rows(self) -> list[tuple[str, float]]:
        """All rows of the newest dataset version."""
        (newest,) = self.records.find(DatasetVersion, model="games", limit=1)
        files = newest.tables()["plays"]
        return pl.concat([pl.read_parquet(self.datasets.path(md5)) for md5 in files]).rows()
