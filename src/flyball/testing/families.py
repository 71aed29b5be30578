"""A version of any family, with its record, without a search: to be reproduced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from flyball import plugins
from flyball.domain.canonical import digest
from flyball.domain.data import DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.names import Recipe
from flyball.domain.training import Run, RunPhase, SearchBudget, TrainingResult
from flyball.ports import Change
from flyball.steps.fit import ARTIFACT, FitRequest
from flyball.steps.newest import newest
from flyball.steps.register import register
from flyball.steps.reproduce import CHILD, FINISH_S
from flyball.steps.workplace import workplace
from flyball.wiring import Platform


def a_version_of(
    platform: Platform,
    model: str,
    family: str,
    *,
    hyperparameters: Mapping[str, Any] | None = None,
    threads: int = 0,
) -> ModelVersion:
    """Fit one family on the model's newest data in a process of its own, and register it.

    Args:
        hyperparameters: default the family's.
        threads: for BLAS; 0: as many as there are cores.
    """
    data = newest(platform.records, model)
    config = plugins.model(family).Config.model_validate(dict(hyperparameters or {}))
    chosen = config.model_dump(mode="json")
    run = Run(
        model=model,
        run_id=digest([data.version, family, chosen, threads])[:16],
        data_version=data.version,
        split={},
        seed=platform.model(model).search.seed,
        budget=SearchBudget(trials=1, timeout_s=60.0),
        started_at=platform.clock.now(),
    )
    platform.records.commit([Change(value=run)])
    failed = f"{family} could not be fitted"
    with workplace(platform.scratch(), prefix="fit-", failed=failed) as folder:
        winner = {"family": family, "hyperparameters": chosen}
        request = _request(platform, run, data, winner=winner, threads=threads, out=folder / "out")
        made = platform.executor.call(CHILD, asdict(request), timeout_s=FINISH_S)
        artifact = platform.blobs.put(folder / "out" / ARTIFACT)
    result = TrainingResult(
        family=family,
        hyperparameters=made["hyperparameters"],
        metrics=made["metrics"],
        trials=(),
        artifact=artifact,
        tracked_as="",
        objective=request.objective,
        packages=tuple(made["packages"]),
        platform=made["platform"],
    )
    recipe = Recipe(
        architecture=made["architecture"],
        hyperparameters=made["hyperparameters"],
        data_version=data.version,
    )
    done = replace(run, split=made["split"], phase=RunPhase.DONE, result=result)
    return register(
        done,
        recipe,
        replacing=run,
        data=data,
        records=platform.records,
        at=platform.clock.now(),
        actor="test",
    ).version


def _request(
    platform: Platform,
    run: Run,
    data: DatasetVersion,
    *,
    winner: Mapping[str, Any],
    threads: int,
    out: Path,
) -> FitRequest:
    application = platform.application(run.model)
    return FitRequest(
        model=run.model,
        application=application.name,
        families=[winner["family"]],
        objective=application.objective,
        tables={
            table: [str(platform.datasets.path(md5)) for md5 in md5s]
            for table, md5s in data.tables().items()
        },
        data_version=data.version,
        seed=run.seed,
        trials=1,
        timeout_s=run.budget.timeout_s,
        study_url="",
        study_name="",
        out=str(out),
        winner=winner,
        threads=threads,
    )
