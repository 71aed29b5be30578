"""The child's half of training: search, fit the winner, judge it, package it.

Runs in a process of its own, because a fit may use much memory or never return. JSON in, files and
JSON out; it writes no record.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError as WrongConfig

from flyball import checkpoints
from flyball.domain.canonical import plain
from flyball.domain.training import SearchBudget, Trial
from flyball.errors import ConfigurationError, StorageUnavailable, TrainingError
from flyball.ports import Application, Model, Prepared, Progress
from flyball.steps.manifest import (
    Manifest,
    code_fingerprint,
    environment_digest,
    packages,
    write_manifest,
)
from flyball.steps.search import SearchOutcome, search
from flyball.steps.surroundings import platform_facts

if TYPE_CHECKING:
    import polars as pl

ARTIFACT = "artifact"
PROGRESS = "progress.jsonl"
TRIALS = "trials.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """What to fit; JSON types only.

    Attributes:
        model: whose model it is.
        application: the plug-in's name.
        families: the candidate families.
        objective: the metric to maximise.
        tables: paths of the dataset version's Parquet files by table, in order of arrival.
        data_version: the dataset version's DVC hash.
        seed: of the split, the search and the fits.
        trials, timeout_s: the search's budget.
        study_url, study_name: the search's checkpoint.
        out: a directory to make; what is in it is replaced. Long fits keep checkpoints beside it.
        earlier: what did well in earlier runs (see ``flyball.steps.warm``).
        winner: the ``family`` and ``hyperparameters`` to fit without a search; None: search.
        threads: for BLAS; 0: as many as this process may use cores.
    """

    model: str
    application: str
    families: Sequence[str]
    objective: str
    tables: Mapping[str, Sequence[str]]
    data_version: str
    seed: int
    trials: int
    timeout_s: float
    study_url: str
    study_name: str
    out: str
    earlier: Sequence[Mapping[str, Any]] = ()
    winner: Mapping[str, Any] | None = None
    threads: int = 0


def fit_candidate(
    request: FitRequest,
    *,
    application: Application,
    models: Mapping[str, type[Model]],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make one candidate in ``request.out``.

    Writes ``artifact/`` (what ``application.package`` writes, and ``manifest.json``),
    ``trials.json``, and a line of ``progress.jsonl`` as each trial ends.

    Args:
        models: the families to search, by name.
        progress: also called as each trial ends.

    Returns:
        JSON: family, architecture, hyperparameters, metrics, split, threads, code, packages,
        platform, trials, and of the search ``why`` the winner won, ``standings`` and ``skipped``.

    Raises:
        ConfigurationError: the family does not take the hyperparameters of ``winner``.
        TrainingError: the data is too little, or no trial came to its end.
        StorageUnavailable: ``out`` or the checkpoint cannot be written.
    """
    from threadpoolctl import threadpool_limits

    threads = request.threads or _cores()
    out = _emptied(Path(request.out))
    resumable = out.with_name(f"{out.name}-checkpoints")  # what is in ``out`` is replaced
    tables = read_tables(request.tables)
    with (
        threadpool_limits(limits=threads),
        checkpoints.kept_in(resumable),
        (out / PROGRESS).open("a", encoding="utf-8") as lines,
    ):

        def report(trial: Trial) -> None:
            lines.write(json.dumps(plain(trial)) + "\n")
            lines.flush()
            if progress is not None:
                progress(trial)

        prepared = application.prepare(tables, seed=request.seed)
        found = _searched(request, application, models, prepared, report)
        model = models[found.family].fit(prepared.final.train, found.config)
        application.package(model, prepared, tables, out / ARTIFACT)
        judged = application.evaluate_artifact(out / ARTIFACT, prepared.final)  # what will serve
        metrics = {name: float(value) for name, value in judged.metrics.items()}
    shutil.rmtree(resumable, ignore_errors=True)
    architecture = f"{application.name}@{application.version}/{found.family}@{type(model).version}"
    manifest = Manifest(
        model=request.model,
        family=found.family,
        architecture=architecture,
        data_version=request.data_version,
        hyperparameters=found.config.model_dump(mode="json"),
        split=plain(prepared.split),
        seeds={"split": request.seed, "search": request.seed},
        threads=threads,
        metrics=metrics,
        code=code_fingerprint(application, *models.values()),
        environment=environment_digest(),
    )
    write_manifest(out / ARTIFACT, manifest)
    return _written(out, manifest, found)


def read_tables(files: Mapping[str, Sequence[str]]) -> dict[str, pl.DataFrame]:
    """The rows of a dataset version by table, in order of arrival.

    Args:
        files: paths of Parquet files by table.

    Raises:
        TrainingError: there is no file, or the files do not fit each other.
    """
    import polars as pl

    if not files:
        raise TrainingError("the dataset version has no files; ingest a batch first")
    tables = {}
    for table, paths in files.items():
        try:
            tables[table] = pl.concat([pl.read_parquet(path) for path in paths], how="diagonal")
        except (pl.exceptions.PolarsError, OSError) as error:
            raise TrainingError(
                f"the batches {', '.join(Path(path).name for path in paths)} cannot be read as "
                f"one table {table}: {error}; ingest them again"
            ) from error
    return tables


def _cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _searched(
    request: FitRequest,
    application: Application,
    models: Mapping[str, type[Model]],
    prepared: Prepared,
    report: Progress,
) -> SearchOutcome:
    if request.winner is not None:
        return _given(request.winner, models)
    return search(
        application,
        models,
        prepared,
        seed=request.seed,
        budget=SearchBudget(trials=request.trials, timeout_s=request.timeout_s),
        study_url=request.study_url,
        study_name=request.study_name,
        progress=report,
        objective=request.objective,
        earlier=request.earlier,
    )


def _given(winner: Mapping[str, Any], models: Mapping[str, type[Model]]) -> SearchOutcome:
    """The outcome of a search that was done before."""
    family = winner["family"]
    try:
        config = models[family].Config.model_validate(dict(winner["hyperparameters"]))
    except WrongConfig as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(
            f"the installed {family} cannot be fitted with these hyperparameters ({wrong}); "
            "install the Flyball that trained the version"
        ) from error
    return SearchOutcome(family=family, config=config, trials=(), why="", standings=())


def _emptied(out: Path) -> Path:
    try:
        if out.exists():
            shutil.rmtree(out)
        (out / ARTIFACT).mkdir(parents=True)
    except OSError as error:
        raise StorageUnavailable(
            f"{out} cannot be made: {error.strerror}; free some space or change its permissions"
        ) from error
    return out


def _written(out: Path, manifest: Manifest, found: SearchOutcome) -> dict[str, Any]:
    """Write ``trials.json``; returns the whole result."""
    trials = plain(found.trials)
    try:
        (out / TRIALS).write_text(json.dumps(trials, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageUnavailable(
            f"cannot write {out / TRIALS}: {error.strerror}; free some space"
        ) from error
    return {
        "family": manifest.family,
        "architecture": manifest.architecture,
        "hyperparameters": manifest.hyperparameters,
        "metrics": manifest.metrics,
        "split": manifest.split,
        "threads": manifest.threads,
        "code": manifest.code,
        "trials": trials,
        "why": found.why,
        "standings": plain(found.standings),
        "skipped": plain(found.skipped),
        "packages": list(packages()),
        "platform": platform_facts(),
    }
