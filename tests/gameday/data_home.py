"""Larger files for a day of faults in the data, and what a home's dataset holds, from outside."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from gameday_home import MODEL, opened, rows

from flyball.domain.data import EMPTY, DataBatch, DatasetVersion, Forgotten
from flyball.storage.objects import LISTING

PEOPLE_EACH = 50
"""Rows a player, on average."""

GAMES = 2000


def write_rows(path: Path, count: int, *, seed: int, bad: float = 0.0) -> Path:
    """A CSV file of purchases and plays; the same seed gives the same bytes.

    Args:
        bad: the share of rows whose value is negative, which the schema forbids.
    """
    chance = np.random.default_rng(seed)
    hours = np.round(chance.gamma(1.0, 20.0, count), 1)
    wrong = chance.random(count) < bad
    frame = pl.DataFrame(
        {
            "user_id": chance.integers(0, max(1, count // PEOPLE_EACH), count),
            "title": (chance.pareto(1.2, count) * 20).astype(np.int64) % GAMES,
            "event": np.where(np.arange(count) % 3 == 0, "purchase", "play"),
            "value": np.where(wrong, -1.0 - hours, hours),
            "timestamp": np.arange(count),
        }
    ).with_columns(
        pl.format("player-{}", "user_id").alias("user_id"),
        pl.format("Game {}", "title").alias("title"),
        (pl.datetime(2020, 1, 1) + pl.duration(seconds="timestamp")).dt.to_string("%FT%TZ"),
    )
    frame.write_csv(path)
    return path


def shelf(home: Path) -> dict[str, Any]:
    """The dataset as it is recorded: equal on two homes with the same history, but for times."""
    verbs = opened(home)
    try:
        records = verbs.platform.records
        found = records.find(DatasetVersion, model=MODEL)
        heads = [version.head for version in found if version.version == EMPTY]
        batches = [
            (b.batch_id, b.digest, b.md5, b.rows, b.quarantined, b.findings, b.repaired_from)
            for b in records.find(DataBatch, model=MODEL)
        ]
        return {
            "batches": batches,
            "versions": {
                v.version: (v.batches, v.files, v.rows) for v in found if v.version != EMPTY
            },
            "newest": heads,
            "forgotten": [person.pseudonym for person in records.find(Forgotten, model=MODEL)],
            "ledger": [(r.entry.action, r.entry.subject, r.entry.after) for r in verbs.ledger()],
            "verified": verbs.verify_ledger(),
        }
    finally:
        verbs.close()


def newest(home: Path) -> DatasetVersion:
    """The version that the next training learns from."""
    verbs = opened(home)
    try:
        records = verbs.platform.records
        head = records.get(DatasetVersion, f"{MODEL}/{EMPTY}").head
        return records.get(DatasetVersion, f"{MODEL}/{head}")
    finally:
        verbs.close()


def interactions(home: Path) -> pl.DataFrame:
    """The rows of the newest version's first table."""
    verbs = opened(home)
    try:
        files = newest(home).tables()["interactions"]
        paths = [verbs.platform.datasets.path(md5) for md5 in files]
        return pl.concat([pl.read_parquet(path) for path in paths], how="diagonal")
    finally:
        verbs.close()


def laid_out(home: Path) -> dict[str, str]:
    """What lies in the workspace: MD5 by name, read from the bytes."""
    folder = home / "data" / MODEL
    whole = (path for path in folder.iterdir() if not path.name.startswith(".arriving-"))
    return {path.name: md5(path) for path in whole}


def named_for_dvc(home: Path) -> str:
    """The version that ``data/games.dvc`` names."""
    about = yaml.safe_load((home / "data" / f"{MODEL}.dvc").read_text())
    return about["outs"][0]["md5"].removesuffix(LISTING)


def is_whole(home: Path) -> None:
    """Holds where records, store and workspace agree, and nothing half-done lies about."""
    version = newest(home)
    assert laid_out(home) == dict(version.files)
    assert named_for_dvc(home) == version.version
    for place in (home / ".dvc" / "cache", home / "remote"):
        # a copy that a kill cut off never got its name; it goes after a day
        for path in (place / "files" / "md5").glob("??/[!.]*"):
            named = (path.parent.name + path.name).removesuffix(LISTING)
            assert md5(path) == named, f"{path} is damaged"
    left = left_over(home)
    assert not left, left


def left_over(home: Path) -> list[str]:
    """Temporary files, and workflows that nobody has ended."""
    folders = (home / "scratch", home / "incoming")
    found = [str(p.relative_to(home)) for f in folders if f.is_dir() for p in f.iterdir()]
    unfinished = rows(
        home / "workflows.sqlite",
        "SELECT workflow_uuid FROM workflow_status WHERE status NOT IN ('SUCCESS', 'ERROR')",
    )
    return [*found, *(json.dumps(row) for row in unfinished)]


def md5(path: Path) -> str:
    """Of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
