"""Train: from a dataset version to a numbered candidate.

The record comes first. Everything after it may be done again: the search goes on from its
checkpoint, the artifact is named by its content, the tracker by the run's id, and the version is
trained in one commit with the end of its run. So a crash anywhere delays a version, and never
doubles or loses one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flyball.domain.canonical import digest
from flyball.domain.data import DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.names import Recipe
from flyball.domain.training import (
    Origin,
    Run,
    RunPhase,
    SearchBudget,
    Standing,
    TrainingResult,
    Trial,
)
from flyball.errors import (
    ConfigurationError,
    FlyballError,
    NotFound,
    StaleWrite,
    StorageUnavailable,
)
from flyball.ports import Application, Blobs, Change, Clock, Datasets, Executor, Records, Tracker
from flyball.settings import ModelSettings
from flyball.steps.fit import ARTIFACT, PROGRESS, FitRequest, fit_candidate
from flyball.steps.manifest import code_fingerprint
from flyball.steps.newest import newest
from flyball.steps.register import Trained, announce, register
from flyball.steps.warm import earlier_bests
from flyball.steps.watch import watched

__all__ = ["FitRequest", "Trained", "fit_candidate", "train"]

CHILD = "flyball.children:fit_candidate"

FINISH_S = 900.0
"""What the last trial, the final fit and the packaging may take after the search's time is up."""


def train(
    model: str,
    *,
    application: Application,
    data: DatasetVersion | None,
    settings: ModelSettings,
    records: Records,
    datasets: Datasets,
    blobs: Blobs,
    tracker: Tracker,
    executor: Executor,
    clock: Clock,
    scratch: Path,
    study_url: str,
    actor: str,
    trials: int | None = None,
    timeout_s: float | None = None,
) -> Trained:
    """Search, fit, track and register one candidate; the same request again is the same run.

    A run that is done returns its version; one that failed or was cut off goes on. A winner with
    the recipe and the artifact of a version there is already (found with other trials) is that
    version, under its name.

    Args:
        data: what to learn from; default the model's newest dataset version.
        settings: the model's; ``trials`` and ``timeout_s`` come before them.
        scratch: a directory for work in progress.
        study_url: SQLAlchemy URL of the search's checkpoints.

    Raises:
        TrainingError: no model could be made; the run is recorded as failed, and says why.
        ConfigurationError: there is no data, or the budget is not positive.
        EnvironmentFailed: the child, a disk or a database failed; the run can be continued.
        StaleWrite: another process moved the run meanwhile.
    """
    data = data or newest(records, model)
    budget = _budget(settings, trials, timeout_s)
    asked = _asked(model, application, data, settings, budget)
    run = _begun(records, asked, now=clock.now())
    if run.phase is RunPhase.DONE:
        version = records.get(ModelVersion, f"{model}/{run.version}")
        announce(tracker, version, run.result.tracked_as if run.result else "")
        return Trained(version=version, run=run, new=False)
    out = scratch / f"train-{model}-{run.run_id}"
    request = _request(
        run,
        application,
        settings,
        data,
        records=records,
        datasets=datasets,
        study_url=study_url,
        out=out,
    )
    try:
        made = _fitted(executor, records, run, request)
        run = records.get(Run, run.id)
        ended, result, recipe = _kept(run, made, request, blobs=blobs, tracker=tracker)
    except FlyballError as error:
        _fail(records, run.id, error)
        raise
    shutil.rmtree(out, ignore_errors=True)  # all of it is stored; a crash here leaves no rubbish
    done = replace(ended, phase=RunPhase.DONE, result=result, error="")
    trained = register(
        done, recipe, replacing=run, data=data, records=records, at=clock.now(), actor=actor
    )
    announce(tracker, trained.version, result.tracked_as)
    return trained


# --- the request and its record ---------------------------------------------------------------


def _budget(settings: ModelSettings, trials: int | None, timeout_s: float | None) -> SearchBudget:
    budget = SearchBudget(
        trials=settings.search.trials if trials is None else trials,
        timeout_s=settings.search.timeout.total_seconds() if timeout_s is None else timeout_s,
    )
    if budget.trials < 1 or not budget.timeout_s > 0:
        raise ConfigurationError(
            f"a search needs at least one trial and some time, not {budget.trials} trials in "
            f"{budget.timeout_s:g} s; raise `trials` or `timeout`"
        )
    return budget


def _asked(
    model: str,
    application: Application,
    data: DatasetVersion,
    settings: ModelSettings,
    budget: SearchBudget,
) -> Run:
    """The run that this request is, before it has begun (its time is the data's)."""
    named = {
        "model": model,
        "data": data.version,
        "application": [application.name, application.version],
        "families": application.families,
        "seed": settings.search.seed,
        "budget": budget,
        "objective": settings.objective or application.objective,
        "code": code_fingerprint(application),
    }
    return Run(
        model=model,
        run_id=digest(named)[:16],
        data_version=data.version,
        split={},
        seed=settings.search.seed,
        budget=budget,
        started_at=data.created_at,
    )


def _begun(records: Records, asked: Run, *, now: datetime) -> Run:
    """The run's record: new, as it was left, or taken up again after a failure."""
    before: Run | None = None
    with suppress(NotFound):
        before = records.get(Run, asked.id)
    if before is not None and before.phase is not RunPhase.FAILED:
        return before
    started = now if before is None else before.started_at
    run = replace(asked, started_at=started)
    records.commit([Change(value=run, replacing=before)])
    return run


def _fail(records: Records, run_id: str, error: FlyballError) -> None:
    # where the records themselves fail, the run stays "searching" and can be continued all the same
    with suppress(StorageUnavailable, StaleWrite):
        run = records.get(Run, run_id)
        failed = replace(run, phase=RunPhase.FAILED, error=f"{error.title}: {error}")
        records.commit([Change(value=failed, replacing=run)])


# --- the child --------------------------------------------------------------------------------


def _request(
    run: Run,
    application: Application,
    settings: ModelSettings,
    data: DatasetVersion,
    *,
    records: Records,
    datasets: Datasets,
    study_url: str,
    out: Path,
) -> FitRequest:
    objective = settings.objective or application.objective
    return FitRequest(
        model=run.model,
        application=application.name,
        families=list(application.families),
        objective=objective,
        tables={
            table: [str(datasets.path(md5)) for md5 in md5s]
            for table, md5s in data.tables().items()
        },
        data_version=data.version,
        seed=run.seed,
        trials=run.budget.trials,
        timeout_s=run.budget.timeout_s,
        study_url=study_url,
        study_name=f"{run.model}-{run.run_id}",
        out=str(out),
        earlier=earlier_bests(
            records, model=run.model, application=application.name, objective=objective
        ),
    )


def _fitted(
    executor: Executor, records: Records, run: Run, request: FitRequest
) -> Mapping[str, Any]:
    with watched(records, run, Path(request.out) / PROGRESS):
        made: Mapping[str, Any] = executor.call(
            CHILD, asdict(request), timeout_s=request.timeout_s + FINISH_S
        )
    return made


# --- the result -------------------------------------------------------------------------------


def _kept(
    run: Run, made: Mapping[str, Any], request: FitRequest, *, blobs: Blobs, tracker: Tracker
) -> tuple[Run, TrainingResult, Recipe]:
    """Store and track what the child made; returns the run with its split, and its result."""
    artifact = Path(request.out) / ARTIFACT
    trials = tuple(
        Trial(**{**trial, "origin": Origin(trial["origin"])}) for trial in made["trials"]
    )
    run = replace(run, split=made["split"], trials_done=len(trials))
    stored = blobs.put(artifact)
    params = {
        "family": made["family"],
        **made["hyperparameters"],
        "architecture": made["architecture"],
        "objective": request.objective,
        "seed": run.seed,
        "budget_trials": run.budget.trials,
        "budget_timeout_s": run.budget.timeout_s,
        "threads": made["threads"],
        "code": made["code"],
    }
    metrics = made["metrics"]
    tracked = tracker.record(run, params=params, metrics=metrics, trials=trials, artifact=artifact)
    result = TrainingResult(
        family=made["family"],
        hyperparameters=made["hyperparameters"],
        metrics=metrics,
        trials=trials,
        artifact=stored,
        tracked_as=tracked,
        objective=request.objective,
        why=made["why"],
        standings=tuple(Standing(**standing) for standing in made["standings"]),
        skipped=made["skipped"],
        packages=tuple(made["packages"]),
        platform=made["platform"],
    )
    recipe = Recipe(
        architecture=made["architecture"],
        hyperparameters=made["hyperparameters"],
        data_version=run.data_version,
    )
    return run, result, recipe
