"""Experiment: try a model out on data there is, in a process of its own. Keeps no record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError as WrongConfig

from flyball.domain.canonical import plain
from flyball.domain.data import DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route
from flyball.errors import ConfigurationError, NotFound
from flyball.ports import Application, Datasets, Executor, Model, Records
from flyball.steps.fit import read_tables

CHILD = "flyball.children:experiment"

WITHIN_S = 3600.0
"""An experiment fits its model a few times; what takes longer hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRequest:
    """What to try; JSON types only.

    Attributes:
        experiment: its name.
        application: the plug-in's name.
        family, hyperparameters: of the model; None: the family's defaults.
        tables: paths of the dataset version's Parquet files by table, in order of arrival.
        seed: of all that is drawn.
        options: the experiment's own.
    """

    experiment: str
    application: str
    family: str
    hyperparameters: Mapping[str, Any] | None
    tables: Mapping[str, Sequence[str]]
    seed: int
    options: Mapping[str, Any]


def subject(records: Records, model: str) -> ModelVersion:
    """The version to try where none is named: the one that serves, else the newest.

    Raises:
        NotFound: there is none yet.
    """
    with suppress(NotFound):
        serving = records.get(Route, model).champion
        if serving is not None:
            return records.get(ModelVersion, f"{model}/{serving}")
    newest = records.find(ModelVersion, model=model, limit=1)
    if not newest:
        raise NotFound(
            f"{model} has no version to try; run `flyball train {model}` first, or name a family "
            "with --family"
        )
    return newest[-1]


def experiment(
    name: str,
    *,
    application: Application,
    family: str,
    hyperparameters: Mapping[str, Any] | None,
    data: DatasetVersion,
    seed: int,
    options: Mapping[str, Any],
    datasets: Datasets,
    executor: Executor,
) -> Mapping[str, Any]:
    """What comes of an experiment, JSON types.

    Raises:
        NotFound: the application has no such experiment, or a file of the data is gone.
        ConfigurationError: the family, its hyperparameters or an option cannot be used.
        TrainingError: the data is too little; says what is missing.
        EnvironmentFailed: the child crashed, or ran out of memory or time.
    """
    request = ExperimentRequest(
        experiment=name,
        application=application.name,
        family=family,
        hyperparameters=None if hyperparameters is None else plain(hyperparameters),
        tables={
            table: [str(datasets.path(md5)) for md5 in md5s]
            for table, md5s in data.tables().items()
        },
        seed=seed,
        options=dict(options),
    )
    found: Mapping[str, Any] = executor.call(CHILD, asdict(request), timeout_s=WITHIN_S)
    return found


def carried_out(
    request: ExperimentRequest, *, application: Application, family: type[Model]
) -> Mapping[str, Any]:
    """The child's part. Raises as ``experiment`` does."""
    try:
        config = family.Config.model_validate(request.hyperparameters or {})
    except WrongConfig as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(
            f"{request.family} cannot be fitted with these hyperparameters ({wrong}); train a "
            "version with the code that is installed, or name a family with --family"
        ) from error
    return application.experiment(
        request.experiment,
        family,
        config,
        read_tables(request.tables),
        seed=request.seed,
        options=request.options,
    )
