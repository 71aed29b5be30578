"""What a home holds, seen from outside: to be compared with an undisturbed run's."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyball import Flyball
from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.deployment import Deployment
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route
from flyball.domain.training import Run
from flyball.domain.validation import ValidationReport
from flyball.settings import Settings

MODEL = "games"

_ENDED_TRIALS = (
    "SELECT a.value_json, t.datetime_complete FROM trials t JOIN trial_user_attributes a "
    "ON a.trial_id = t.trial_id AND a.key = 'about' WHERE t.state != 'RUNNING' ORDER BY t.number"
)
_STEPS = (
    "SELECT workflow_uuid, function_id, function_name, completed_at_epoch_ms "
    "FROM operation_outputs ORDER BY workflow_uuid, function_id"
)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds in a database, read-only; nothing where it is not there yet."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def count(path: Path, table: str, where: str = "1") -> int:
    """How many rows of a table there are."""
    found = rows(path, f"SELECT count(*) FROM {table} WHERE {where}")
    return found[0][0] if found else 0


def opened(home: Path) -> Flyball:
    """The verbs on a home, without this process's environment."""
    return Flyball(config=Settings(home=home))


def picture(home: Path) -> dict[str, Any]:
    """Everything that must be equal however often a run was disturbed.

    Left out is what may rightly differ: times, seconds, latencies, MLflow's own ids, and the digest
    of a report (it tells its own time and what scoring took).
    """
    verbs = opened(home)
    records = verbs.platform.records
    return {
        "batches": [(b.id, b.digest, b.file, b.md5, b.rows) for b in records.find(DataBatch)],
        "datasets": [(d.id, d.batches, d.files, d.rows) for d in records.find(DatasetVersion)],
        "runs": [_run(run) for run in records.find(Run)],
        "versions": [
            (v.id, v.state, v.artifact, v.recipe, v.metrics) for v in records.find(ModelVersion)
        ],
        "reports": [
            (r.id, r.version, r.decision, [(c.check, c.verdict) for c in r.results])
            for r in records.find(ValidationReport)
        ],
        "deployments": [
            (d.id, d.version, d.phase, d.replaces, d.strategy) for d in records.find(Deployment)
        ],
        "routes": records.find(Route),
        "ledger": [
            (row.entry.action, row.entry.subject, row.entry.before, row.entry.after)
            for row in verbs.ledger()
        ],
        "verified": verbs.verify_ledger(),
        "evidence": [
            [move.bundle.move.target for move in verbs.verify(MODEL, version.name).moves]
            for version in verbs.versions(MODEL)
        ],
        "mlflow": _tracked(home / "mlflow.sqlite"),
        "models": _models(home),
        "dvc": (home / "data" / f"{MODEL}.dvc").read_text(),
        "data": [_names(home / place) for place in (".dvc/cache", "remote", "data")],
        "trials": [
            (about["number"], about["family"], about["hyperparameters"], about["note"])
            for about in (json.loads(json.loads(text)) for text, _ in _trials(home))
        ],
        "scratch": _names(home / "scratch"),
        "litter": [path.name for path in home.glob(".arriving-*")],
        "unfinished": rows(
            home / "workflows.sqlite",
            "SELECT workflow_uuid FROM workflow_status WHERE status NOT IN ('SUCCESS', 'ERROR')",
        ),
    }


def same(seen: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Holds where two pictures are equal; shows what is not."""
    other = {key: (seen[key], wanted[key]) for key in wanted if seen[key] != wanted[key]}
    assert not other, "\n".join(f"{key}: {a}\n  not {b}" for key, (a, b) in other.items())


@dataclass(frozen=True)
class Finished:
    """What was finished at a moment: none of it may be done again."""

    steps: Sequence[tuple[Any, ...]]
    trials: Sequence[tuple[Any, ...]]
    ledger: Sequence[tuple[Any, ...]]
    tracked: Sequence[tuple[Any, ...]]
    files: dict[str, tuple[int, int]]

    @classmethod
    def on(cls, home: Path) -> Finished:
        """What is finished on a home now."""
        return cls(
            steps=rows(home / "workflows.sqlite", _STEPS),
            trials=_trials(home),
            ledger=rows(
                home / "flyball.sqlite", "SELECT seq, digest FROM flyball_ledger ORDER BY seq"
            ),
            tracked=rows(home / "mlflow.sqlite", "SELECT run_uuid FROM runs"),
            files=_stored(home),
        )

    def still_stands(self, home: Path) -> None:
        """Holds where the same steps, trials, ledger rows and stored files are still there.

        A step or trial that was done again would have another time, a file that was written again
        another inode.
        """
        now = Finished.on(home)
        assert set(self.steps) <= set(now.steps)
        assert list(now.trials[: len(self.trials)]) == list(self.trials)
        assert list(now.ledger[: len(self.ledger)]) == list(self.ledger)
        assert set(self.tracked) <= set(now.tracked)
        written_again = {name for name, seen in self.files.items() if now.files.get(name) != seen}
        assert not written_again


def blob(home: Path, digest: str) -> Path:
    """Where an artifact lies."""
    return home / "artifacts" / digest[:2] / digest


def artifact(home: Path) -> Path:
    """The newest version's artifact."""
    return blob(home, opened(home).versions(MODEL)[-1].artifact)


def _run(run: Run) -> tuple[Any, ...]:
    assert run.result is not None, f"{run.id} has no result"
    trials = [(t.number, t.family, t.hyperparameters, t.value) for t in run.result.trials]
    return (run.id, run.phase, run.version, run.split, run.result.artifact, trials)


def _tracked(path: Path) -> dict[str, Any]:
    return {
        "runs": rows(path, "SELECT name, status, lifecycle_stage FROM runs"),
        "params": rows(path, "SELECT key, value FROM params ORDER BY key"),
        "metrics": rows(
            path, "SELECT key, value FROM latest_metrics WHERE key != 'trial_seconds' ORDER BY key"
        ),
        "versions": rows(path, "SELECT name, version FROM model_versions"),
        "tags": rows(path, "SELECT key, value FROM model_version_tags ORDER BY key"),
        "aliases": rows(path, "SELECT alias, version FROM registered_model_aliases ORDER BY alias"),
    }


def _trials(home: Path) -> list[tuple[Any, ...]]:
    return rows(home / "studies.sqlite", _ENDED_TRIALS)


def _models(home: Path) -> dict[str, list[str]]:
    """Stored model artifacts (those with a manifest), with their files."""
    found = (home / "artifacts").glob("??/*/manifest.json")
    return {path.parent.name: _names(path.parent) for path in found}


def _stored(home: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file that is stored for good."""
    places = [*(home / "artifacts").glob("??/*"), home / ".dvc" / "cache", home / "remote"]
    files = (f for place in places for f in [place, *place.rglob("*")] if f.is_file())
    seen = {}
    for path in files:
        if not path.name.startswith(".arriving"):
            about = path.stat()
            seen[str(path.relative_to(home))] = (about.st_ino, about.st_mtime_ns)
    return seen


def _names(folder: Path) -> list[str]:
    """The files of a folder; a copy that a kill cut off (it never got its name) is none."""
    found = (path for path in folder.rglob("*") if path.is_file())
    whole = (path for path in found if not path.name.startswith(".arriving-"))
    return sorted(path.relative_to(folder).as_posix() for path in whole)
