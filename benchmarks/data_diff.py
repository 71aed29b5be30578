"""``flyball data diff`` of two large dataset versions: half their rows in common, and no file.

The whole command, from its start to its answer: wall time, and the peak resident memory of it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from benchmarks.loop import FLYBALL, timed
from benchmarks.rows import interactions
from benchmarks.table import Line, judged
from flyball import Flyball
from flyball.domain.data import EMPTY, PACKAGE, DataBatch, DatasetVersion, batch_file
from flyball.ports import Change
from flyball.steps import canonical
from flyball.steps.declared import package
from flyball.steps.profile import Profiler

MODEL = "games"
MILLION = 1_000_000
SECONDS, MIB = 5, 1536
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def typed(rows: int, seed: int) -> pl.DataFrame:
    """Rows as they lie in a dataset; people by names as long as pseudonyms."""
    return interactions(rows, seed=seed).with_columns(
        pl.col("user_id").str.zfill(24),
        pl.col("value").cast(pl.Float64),
        pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"),
    )


def parts(rows: int, first: int, other: int) -> Iterator[pl.DataFrame]:
    """So many rows, a million at a time, shuffled: half by the one seed, half by the other."""
    for start in range(0, rows, MILLION):
        half = min(MILLION, rows - start) // 2
        frame = pl.concat([typed(half, first + start), typed(half, other + start + half)])
        yield frame.sample(fraction=1.0, shuffle=True, seed=other)


def version(flyball: Flyball, rows: int, number: int) -> str:
    """Make a version of one batch the newest, without an ingest; returns its hash."""
    platform = flyball.platform
    schemas, profiler = platform.schemas(MODEL), Profiler(platform.schemas(MODEL)[0])

    def frames() -> Iterator[pl.DataFrame]:
        for frame in parts(rows, 1, 1 + number * 10**9):
            profiler.add(frame)
            yield frame

    def kept(content: bytes) -> str:
        scratch.write_bytes(content)
        return platform.datasets.keep(scratch)

    scratch = platform.scratch() / "made"
    digest = canonical.write(frames(), typed(1, 1).schema, scratch)
    file, md5 = batch_file(1, schemas[0].name, digest), platform.datasets.keep(scratch)
    batch = DataBatch(
        model=MODEL, batch_id=digest[:12], digest=digest, file=file, md5=md5, source="made",
        rows=rows, findings=(), profile={}, ingested_at=WHEN, table=schemas[0].name,
        sketches=kept(profiler.finished().to_json()),
    )  # fmt: skip
    files = {file: md5, PACKAGE: kept(package(schemas))}
    made = DatasetVersion(
        model=MODEL, version=platform.datasets.lay_out(MODEL, files), batches=(batch.batch_id,),
        files=files, rows=rows, created_at=WHEN,
    )  # fmt: skip
    known = platform.records.find(DatasetVersion, model=MODEL)
    before = next((v for v in known if v.version == EMPTY), None)
    start = DatasetVersion(
        model=MODEL, version=EMPTY, batches=(), files={}, rows=0, created_at=WHEN,
        head=made.version,
    )  # fmt: skip
    platform.records.commit(
        [Change(value=start, replacing=before), Change(value=batch), Change(value=made)]
    )
    return made.version


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10 * MILLION)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        home = Path(folder) / "home"
        with Flyball(home) as flyball:
            before, after = (version(flyball, asked.rows, number) for number in (1, 2))
        command = [FLYBALL, "data", "diff", MODEL, before, after]
        shown = subprocess.run([*command, "--home", str(home)], check=True, capture_output=True)
        print(shown.stdout.decode())
        taken = [timed(command, home) for _ in range(asked.rounds)]
    title = f"data diff of two versions of {asked.rows:,} rows, half of them in common"
    return judged(
        title,
        [
            Line(what="wall", values=[s for s, _ in taken], limit=SECONDS, unit="s"),
            Line(what="peak RSS", values=[mib for _, mib in taken], limit=MIB, unit="MiB"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
