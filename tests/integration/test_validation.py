"""Training and validating a real recommender, with every adapter real but the tracker's peers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from flyball import plugins, wiring
from flyball.domain.data import EMPTY, DatasetVersion
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.training import Run, RunPhase
from flyball.domain.validation import Decision, ValidationReport, Verdict
from flyball.errors import TrainingError
from flyball.ports import Change
from flyball.settings import Gates, ModelSettings, Search, Settings
from flyball.steps.train import Trained, train
from flyball.steps.validate import validate
from flyball.testing.builders import NOON
from flyball.wiring import Platform


def players(count: int, *, seed: int = 5) -> pl.DataFrame:
    """Players of three tastes, who each own most games of theirs and a few others."""
    rng = np.random.default_rng(seed)
    rows = [
        {"user_id": f"player{p:04}", "title": f"Game {g:02}", "event": "purchase", "value": 1.0}
        for p in range(count)
        for g in range(45)
        if rng.random() < (0.6 if g % 3 == p % 3 else 0.05)
    ]
    return pl.DataFrame(rows)


def ingested(platform: Platform, frame: pl.DataFrame, scratch: Path) -> DatasetVersion:
    content = scratch / "batch.parquet"
    frame.write_parquet(content)
    md5 = platform.datasets.keep(content)
    files = {f"0001-interactions-{md5[:12]}.parquet": md5}
    data = DatasetVersion(
        model="games",
        version=platform.datasets.lay_out("games", files),
        batches=("batch",),
        files=files,
        rows=frame.height,
        created_at=NOON,
    )
    start = replace(data, version=EMPTY, batches=(), files={}, rows=0, head=data.version)
    platform.records.commit([Change(value=start), Change(value=data)])
    return data


SETTINGS = ModelSettings(search=Search(trials=4), gates=Gates(p95_ms=2_000.0))


def trained(platform: Platform) -> Trained:
    return train(
        "games",
        application=platform.application("games"),
        data=None,
        settings=SETTINGS,
        records=platform.records,
        datasets=platform.datasets,
        blobs=platform.blobs,
        tracker=platform.tracker,
        executor=platform.executor,
        clock=platform.clock,
        scratch=platform.scratch(),
        study_url=platform.study_url(),
        actor="control",
    )


def validated(platform: Platform, version: ModelVersion) -> ValidationReport:
    return validate(
        version,
        application=platform.application("games"),
        checks=[plugins.check(name) for name in platform.application("games").checks],
        settings=SETTINGS,
        records=platform.records,
        datasets=platform.datasets,
        blobs=platform.blobs,
        executor=platform.executor,
        target=platform.target,
        clock=platform.clock,
        actor="control",
        scratch=platform.scratch(),
    )


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return wiring.build(Settings(home=tmp_path / "home", models={"games": SETTINGS}))


def test_a_candidate_is_trained_judged_and_promoted(platform: Platform, tmp_path: Path) -> None:
    ingested(platform, players(240), tmp_path)
    made = trained(platform)
    assert made.version.family != "popularity"  # there are tastes to find
    assert made.version.state is State.VALIDATION

    report = validated(platform, made.version)
    verdicts = {result.check: result.verdict for result in report.results}
    assert list(verdicts) == list(platform.application("games").checks)
    for check in ("artifact", "accuracy", "latency", "integration", "rivals", "leakage"):
        assert verdicts[check] is Verdict.PASS, [result.summary for result in report.results]
    assert report.decision is Decision.PROMOTE
    assert platform.records.get(ModelVersion, made.version.id).state is State.STAGING
    assert platform.records.verify_ledger() == 4

    stored = platform.blobs.get(report.artifact)
    content = json.loads((stored / "report.json").read_text())
    calls = next(r for r in content["results"] if r["check"] == "integration")["details"]["calls"]
    assert len(calls) >= 5
    assert made.version.id in (stored / "report.html").read_text()

    assert trained(platform).version.name == made.version.name
    assert validated(platform, made.version) == report


def test_too_little_data_fails_the_run_in_the_child(platform: Platform, tmp_path: Path) -> None:
    ingested(platform, players(6), tmp_path)
    with pytest.raises(TrainingError, match="ingest more batches"):
        trained(platform)
    (run,) = platform.records.find(Run)
    assert run.phase is RunPhase.FAILED
    assert "ingest more batches" in run.error
