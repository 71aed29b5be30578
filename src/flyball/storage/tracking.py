"""Experiments and the model registry in MLflow: the port ``Tracker``.

MLflow is for people to look at: what it holds was first written to the records and the artifacts.
Its telemetry is off, and it writes no line of its own unless something failed.

MLflow tries for 100 seconds to open an SQLite file that cannot be opened, and a process killed in
its first second of migrations can leave one that never migrates. So the file is looked at first,
and a new one gets its name when it is complete.
"""

from __future__ import annotations

import logging
import math
import os
import re
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

from flyball.domain.canonical import canonical_json, plain
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.training import Run, Trial
from flyball.errors import EnvironmentFailed, NotFound
from flyball.storage.files import taking_turns

RUN_TAG, VERSION_TAG, ARTIFACT_TAG = "flyball.run_id", "flyball.version", "flyball.artifact"
DATA_TAG = "flyball.data_version"
TRIAL_METRIC, SECONDS_METRIC = "trial_objective", "trial_seconds"
_SMALL = 256 * 1024  # bytes; larger files of an artifact stay in the artifact store alone
_METRICS_A_BATCH, _PARAMS_A_BATCH = 1000, 100
_PARAM_LENGTH = 6000

_FILE = "sqlite:///"


class MlflowTracker:
    """The port ``Tracker`` on an MLflow database or server. Thread-safe; connects on first use.

    Args:
        uri: an MLflow tracking URI: ``sqlite:///...``, another database, or ``http(s)://...``.
        artifact_root: directory for the small files of runs; ignored by a server of its own.
    """

    def __init__(self, uri: str, artifact_root: Path) -> None:
        self._uri = uri
        self._root = artifact_root
        self._lock = threading.Lock()
        self._connected: Any = None

    def close(self) -> None:
        """Let pooled connections go; the next use opens new ones."""
        with self._lock:
            client, self._connected = self._connected, None
        if client is not None:
            for store in (client._tracking_client.store, client._get_registry_client().store):
                engine = getattr(store, "engine", None)  # a server's store has none
                if engine is not None:
                    engine.dispose()

    def record(
        self,
        run: Run,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        trials: Sequence[Trial],
        artifact: Path,
    ) -> str:
        """Track one finished run; returns MLflow's id of it. Idempotent by ``run.id``.

        Metrics keep their names, except that MLflow has no ``@``: ``ndcg@10`` is ``ndcg_at_10``.
        The trials' values are a series by trial number. Of the artifact, files of up to 256 KiB
        are kept, and its digest as a tag.

        Raises:
            EnvironmentFailed: MLflow's database or directory cannot be used.
        """
        with self._translated():
            client = self._client()
            experiment = self._experiment(run.model)
            tracked = self._tracked(experiment, run)
            self._log_values(tracked, run, params, metrics, trials)
            self._log_input(tracked, run)
            for path in _small_files(artifact):
                folder = Path("artifact") / path.relative_to(artifact).parent
                client.log_artifact(tracked, str(path), folder.as_posix())
            client.log_dict(tracked, plain(list(trials)), "trials.json")
            client.set_tag(tracked, ARTIFACT_TAG, _digest_of(run, artifact))
            client.set_terminated(tracked, "FINISHED")
        return tracked

    def register(self, version: ModelVersion, tracked_as: str) -> None:
        """Register a version under its model, tagged with its name. Idempotent.

        Raises:
            EnvironmentFailed: MLflow's database cannot be used.
        """
        with self._translated():
            client = self._client()
            if not client.search_registered_models(f"name = '{version.model}'"):
                client.create_registered_model(version.model)
            if self._registered(version.model, version.name) is None:
                client.create_model_version(
                    version.model,
                    source=f"runs:/{tracked_as}/artifact",
                    run_id=tracked_as,
                    tags={VERSION_TAG: version.name, ARTIFACT_TAG: version.artifact},
                    await_creation_for=0,
                )

    def alias(
        self, model: str, alias: Literal["champion", "challenger"], version: str | None
    ) -> None:
        """Point an alias at a version by its Flyball name, or remove it. Idempotent.

        Raises:
            NotFound: the version is not registered.
            EnvironmentFailed: MLflow's database cannot be used.
        """
        with self._translated():
            client = self._client()
            if version is None:
                if client.search_registered_models(f"name = '{model}'"):
                    client.delete_registered_model_alias(model, alias)
                return
            number = self._registered(model, version)
            if number is None:
                raise NotFound(
                    f"{model}/{version} is not registered in MLflow ({_shown(self._uri)}), so it "
                    f"cannot be the {alias}; train it again, which registers it"
                )
            with _taking_turns(self._uri):  # MLflow inserts it: of two at once one would fail
                client.set_registered_model_alias(model, alias, number)

    def _client(self) -> Any:
        with self._lock:
            if self._connected is None:
                self._connected = _connect(self._uri, self._root)
            return self._connected

    def _experiment(self, model: str) -> str:
        client = self._client()
        found = client.get_experiment_by_name(model)
        if found is None:
            local = not self._uri.startswith(("http://", "https://"))
            place = (self._root.resolve() / model).as_uri() if local else None
            return str(client.create_experiment(model, artifact_location=place))
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _tracked(self, experiment: str, run: Run) -> str:
        """MLflow's id of a run, made if need be."""
        client = self._client()
        known = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run.id}'", max_results=1)
        if known:
            return str(known[0].info.run_id)
        made = client.create_run(
            experiment,
            start_time=_milliseconds(run),
            run_name=run.run_id,
            tags={RUN_TAG: run.id, DATA_TAG: run.data_version},
        )
        return str(made.info.run_id)

    def _log_values(
        self,
        tracked: str,
        run: Run,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        trials: Sequence[Trial],
    ) -> None:
        from mlflow.entities import Metric, Param

        client, at = self._client(), _milliseconds(run)
        values = [Metric(_name(key), value, at, 0) for key, value in metrics.items()]
        for trial in trials:
            values.append(Metric(SECONDS_METRIC, trial.seconds, at, trial.number))
            if trial.value is not None:
                values.append(Metric(TRIAL_METRIC, trial.value, at, trial.number))
        values = [metric for metric in values if math.isfinite(metric.value)]
        for part in _parts(values, _METRICS_A_BATCH):
            client.log_batch(tracked, metrics=part)
        texts = [Param(_name(key), _text(value)) for key, value in params.items()]
        for part in _parts(texts, _PARAMS_A_BATCH):
            client.log_batch(tracked, params=part)

    def _log_input(self, tracked: str, run: Run) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = canonical_json({"dvc": f"{run.data_version}.dir", "path": f"data/{run.model}"})
        dataset = Dataset(
            name=run.model, digest=run.data_version, source_type="dvc", source=source.decode()
        )
        context = InputTag("mlflow.data.context", "training")
        self._client().log_inputs(tracked, datasets=[DatasetInput(dataset, [context])])

    def _registered(self, model: str, version: str) -> str | None:
        """MLflow's number of a version, or None."""
        found = self._client().search_model_versions(
            f"name = '{model}' and tags.`{VERSION_TAG}` = '{version}'", max_results=1
        )
        return str(found[0].version) if found else None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        _silence()
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
            reason = _shown(" ".join(str(error).split())[:300])
            raise EnvironmentFailed(
                f"MLflow at {_shown(self._uri)} cannot be used: {reason}; check that its database "
                "or server and its directory are there, writable and of this MLflow's version "
                "(`mlflow db upgrade` brings an older database up to date)"
            ) from error


def _connect(uri: str, root: Path) -> Any:
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # its errors are raised as well
    if uri.startswith(_FILE):
        path = Path(uri.removeprefix(_FILE))
        with _taking_turns(uri):
            if not path.exists():
                _create(path, root)
        _look_at(path)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _taking_turns(uri: str) -> AbstractContextManager[None]:
    if not uri.startswith(_FILE):
        return nullcontext()
    path = Path(uri.removeprefix(_FILE))
    return taking_turns(path.with_name(f"{path.name}.lock"))


def _create(path: Path, root: Path) -> None:
    """A new, migrated database under its name at once."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for left in path.parent.glob(".arriving-*.sqlite*"):
        left.unlink(missing_ok=True)  # of a killed process: we hold the lock, so nobody's now
    arriving = path.with_name(f".arriving-{uuid.uuid4().hex}.sqlite")
    try:
        with closing(sqlite3.connect(arriving)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        SqlAlchemyStore(f"sqlite:///{arriving}", root.resolve().as_uri()).engine.dispose()
        arriving.replace(path)
    finally:
        for left in path.parent.glob(f"{arriving.name}*"):
            left.unlink(missing_ok=True)


def _look_at(path: Path) -> None:
    """Raises sqlite3.Error where the file is damaged, locked for long, or not writable."""
    with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _silence() -> None:
    """MLflow reads this once, on import."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def _shown(text: str) -> str:
    """A URI, or a text with one in it, as messages show it: without the password."""
    return re.sub(r"(?<=://)([^/@\s]*):[^/@\s]*@", r"\1:***@", text)


def _parts(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _small_files(directory: Path) -> list[Path]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return [path for path in files if path.stat().st_size <= _SMALL]


def _digest_of(run: Run, artifact: Path) -> str:
    """The artifact's digest: from the run, else from its content-addressed place."""
    return run.result.artifact if run.result is not None else artifact.name


def _name(key: str) -> str:
    return re.sub(r"[^\w\-./ ]", "_", key.replace("@", "_at_"))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return text[:_PARAM_LENGTH]


def _milliseconds(run: Run) -> int:
    return int(run.started_at.timestamp() * 1000)
