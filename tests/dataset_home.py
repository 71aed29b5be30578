"""A home whose dataset grows batch by batch, without an ingest: real storage and records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import polars as pl

from flyball import Flyball
from flyball.domain.data import EMPTY, PACKAGE, DataBatch, DatasetVersion, batch_file
from flyball.domain.ledger import Entry
from flyball.domain.schema import Column, ColumnType, Privacy, Reference, Schema
from flyball.domain.table_schema import package_bytes, to_package
from flyball.ports import Change
from flyball.settings import Datasets, Settings
from flyball.steps import canonical
from flyball.steps.profile import Profiler
from flyball.testing.builders import NOON, a_recipe, a_version

SCHEMA = Schema(
    name="plays",
    columns=(
        Column(name="user", type=ColumnType.STRING, privacy=Privacy.PERSONAL),
        Column(
            name="game",
            type=ColumnType.STRING,
            references=Reference(table="catalogue", column="title"),
        ),
        Column(name="hours", type=ColumnType.NUMBER, nullable=True),
    ),
)
CATALOGUE = Schema(name="catalogue", columns=(Column(name="title", type=ColumnType.STRING),))


def plays(*rows: tuple[str, str, float]) -> pl.DataFrame:
    """Rows of (user, game, hours)."""
    types = {"user": pl.String, "game": pl.String, "hours": pl.Float64}
    return pl.DataFrame(list(rows), schema=types, orient="row")


@dataclass
class Home:
    """A model's dataset.

    Attributes:
        folder: the home.
        remote: setting ``datasets.remote``.
    """

    folder: Path
    remote: str = ""
    flyball: Flyball = field(init=False)

    def __post_init__(self) -> None:
        self.flyball = Flyball(
            config=Settings(home=self.folder, datasets=Datasets(remote=self.remote)),
            actor="operator:ada",
        )

    def close(self) -> None:
        """Let go of the records."""
        self.flyball.close()

    @property
    def store(self):
        """The port ``Datasets``."""
        return self.flyball.platform.datasets

    def kept(self, content: bytes) -> str:
        """These bytes, in the store."""
        scratch = self.flyball.platform.scratch() / "content"
        scratch.write_bytes(content)
        return self.store.keep(scratch)

    def add(self, batch_id: str, frame: pl.DataFrame) -> DatasetVersion:
        """The next batch, as an ingest records it."""
        newest = self.newest()
        profiler = Profiler(SCHEMA)
        profiler.add(frame)
        content = self.flyball.platform.scratch() / "rows"
        digest = canonical.write([frame], frame.schema, content)
        md5 = self.store.keep(content)
        number = len(newest.batches) + 1 if newest else 1
        batch = DataBatch(
            model="games",
            batch_id=batch_id,
            digest=digest,
            file=batch_file(number, SCHEMA.name, digest),
            md5=md5,
            source=f"{batch_id}.csv",
            rows=frame.height,
            findings=(),
            profile={},
            ingested_at=NOON,
            table=SCHEMA.name,
            sketches=self.kept(profiler.finished().to_json()),
            quarantine=self.kept(f"left out of {batch_id}".encode()),
            quarantined=1,
        )
        files = {**(newest.files if newest else {}), batch.file: md5}
        files[PACKAGE] = self.kept(package_bytes(to_package([SCHEMA, CATALOGUE])))
        batches = (*(newest.batches if newest else ()), batch_id)
        return self.becomes(batches, files, [Change(value=batch)], "ingest", frame.height)

    def becomes(
        self,
        batches: Sequence[str],
        files: dict[str, str],
        changes: Sequence[Change],
        action: str,
        more: int,
    ) -> DatasetVersion:
        """Make this the newest version, with so many rows more."""
        records, newest = self.flyball.platform.records, self.newest()
        starts = [v for v in records.find(DatasetVersion) if v.version == EMPTY]
        version = DatasetVersion(
            model="games",
            version=self.store.lay_out("games", files),
            batches=tuple(batches),
            files=files,
            rows=(newest.rows if newest else 0) + more,
            created_at=NOON + timedelta(minutes=len(records.find(DatasetVersion))),
        )
        start = DatasetVersion(
            model="games", version=EMPTY, batches=(), files={}, rows=0, created_at=NOON,
            head=version.version,
        )  # fmt: skip
        moved = Change(value=start, replacing=starts[0] if starts else None)
        entry = Entry(
            at=NOON, actor="operator:ada", action=action, subject=f"games/{batches[-1]}",
            model="games", before=newest.version if newest else "", after=version.version,
            reason=f"{more} rows",
        )  # fmt: skip
        records.commit([moved, *changes, Change(value=version)], [entry])
        return version

    def newest(self) -> DatasetVersion | None:
        """The newest version."""
        records = self.flyball.platform.records
        heads = [v.head for v in records.find(DatasetVersion) if v.version == EMPTY]
        return records.get(DatasetVersion, f"games/{heads[0]}") if heads else None

    def learned(self, version: DatasetVersion, number: str = "1.0.0") -> str:
        """A model version that was trained on it; returns its name."""
        recipe = a_recipe(data_version=version.version)
        made = a_version(number, recipe=recipe, name=f"{number}-{version.version[:8]}-89ef4567")
        self.flyball.platform.records.commit([Change(value=made)])
        return made.name

    def laid_out(self) -> dict[str, bytes]:
        """What people see of the dataset."""
        folder = self.folder / "data" / "games"
        return {path.name: path.read_bytes() for path in folder.iterdir()}
