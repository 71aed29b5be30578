"""What the tracker writes, MLflow's own client reads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flyball.errors import EnvironmentFailed, NotFound
from flyball.storage.tracking import MlflowTracker
from flyball.testing.builders import DATA_VERSION, SHA, a_run, a_trial, a_version

pytestmark = pytest.mark.xdist_group("mlflow")  # one database is migrated for all of them


@pytest.fixture(scope="module")
def first_use(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder in which another process was the first to connect, and how that process ended."""
    root = tmp_path_factory.mktemp("mlflow")
    (root / "work").mkdir()
    code = (
        "from pathlib import Path\n"
        "from flyball.storage.tracking import MlflowTracker\n"
        f"tracker = MlflowTracker('sqlite:///{root}/home/mlflow.sqlite', Path('{root}/home/r'))\n"
        "tracker.alias('games', 'champion', None)\n"
        "from mlflow.telemetry import get_telemetry_client\n"
        "assert get_telemetry_client() is None\n"
    )
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("CI", "PYTEST"))
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=root / "work",
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return root, done


@pytest.fixture
def template(first_use: tuple[Path, Any]) -> Path:
    """A database that MLflow has migrated once, for all tests of this file."""
    return first_use[0] / "home" / "mlflow.sqlite"


@pytest.fixture
def uri(template: Path, tmp_path: Path) -> str:
    """A tracking URI on an empty database."""
    for file in template.parent.glob("mlflow.sqlite*"):
        shutil.copy(file, tmp_path / file.name)
    return f"sqlite:///{tmp_path / 'mlflow.sqlite'}"


@pytest.fixture
def tracker(uri: str, tmp_path: Path) -> MlflowTracker:
    """A tracker on it."""
    return MlflowTracker(uri, tmp_path / "mlruns")


@pytest.fixture
def client(uri: str, tracker: MlflowTracker) -> Iterator[Any]:
    """MLflow's own client."""
    tracker.alias("nothing", "challenger", None)  # connects, which makes the database
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """An artifact with a small file and a large one."""
    directory = tmp_path / "artifact"
    directory.mkdir()
    (directory / "manifest.json").write_text('{"family": "ease"}')
    (directory / "weights.npy").write_bytes(b"0" * 300_000)
    return directory


def record(tracker: MlflowTracker, artifact: Path, **fields: Any) -> str:
    """Track a run with two trials, one of them pruned."""
    return tracker.record(
        a_run(**fields),
        params={"l2": 30.0, "families": ["ease"], "note": "plain text"},
        metrics={"ndcg@10": 0.515, "recall@20": 0.58},
        trials=[a_trial(), a_trial(number=1, value=None), a_trial(number=2, value=0.6)],
        artifact=artifact,
    )


class TestARun:
    """What is tracked of it."""

    def test_has_parameters_metrics_and_the_series_of_trials(
        self, tracker: MlflowTracker, client: Any, artifact: Path
    ) -> None:
        """A pruned trial has its time and no value."""
        tracked = record(tracker, artifact)
        run = client.get_run(tracked)
        assert run.info.status == "FINISHED"
        assert run.data.params == {"l2": "30.0", "families": '["ease"]', "note": "plain text"}
        assert run.data.metrics["ndcg_at_10"] == 0.515
        series = client.get_metric_history(tracked, "trial_objective")
        assert [(metric.step, metric.value) for metric in series] == [(0, 0.51), (2, 0.6)]
        assert len(client.get_metric_history(tracked, "trial_seconds")) == 3

    def test_names_its_dataset_and_its_artifact(
        self, tracker: MlflowTracker, client: Any, artifact: Path
    ) -> None:
        """The DVC hash as dataset input, the digest as a tag."""
        run = client.get_run(record(tracker, artifact))
        (item,) = run.inputs.dataset_inputs
        assert (item.dataset.name, item.dataset.digest) == ("games", DATA_VERSION)
        assert item.tags[0].value == "training"
        assert run.data.tags["flyball.artifact"] == SHA
        assert run.data.tags["flyball.run_id"] == a_run().id

    def test_keeps_small_files_only(
        self, tracker: MlflowTracker, client: Any, artifact: Path, tmp_path: Path
    ) -> None:
        """The manifest and the trials; the arrays stay in the artifact store."""
        tracked = record(tracker, artifact)
        assert [file.path for file in client.list_artifacts(tracked, "artifact")] == [
            "artifact/manifest.json"
        ]
        local = client.download_artifacts(tracked, "trials.json", str(tmp_path))
        assert len(json.loads(Path(local).read_text())) == 3

    def test_is_tracked_once_however_often_it_is_recorded(
        self, tracker: MlflowTracker, client: Any, artifact: Path
    ) -> None:
        """The same id, and no value twice."""
        first = record(tracker, artifact)
        assert record(tracker, artifact) == first
        experiment = client.get_experiment_by_name("games").experiment_id
        assert len(client.search_runs([experiment])) == 1
        assert len(client.get_metric_history(first, "trial_objective")) == 2

    def test_that_was_begun_and_cut_off_is_completed(
        self, tracker: MlflowTracker, client: Any, artifact: Path
    ) -> None:
        """A kill after the run was made leaves one run all the same."""
        with pytest.raises(EnvironmentFailed):
            tracker.record(
                a_run(), params={"": 1}, metrics={"a": 1.0}, trials=[], artifact=artifact
            )
        tracked = record(tracker, artifact)
        experiment = client.get_experiment_by_name("games").experiment_id
        assert [run.info.run_id for run in client.search_runs([experiment])] == [tracked]
        assert client.get_run(tracked).info.status == "FINISHED"

    def test_of_a_deleted_experiment_brings_it_back(
        self, tracker: MlflowTracker, client: Any, artifact: Path
    ) -> None:
        """Somebody may have tidied up in MLflow's page."""
        record(tracker, artifact)
        client.delete_experiment(client.get_experiment_by_name("games").experiment_id)
        record(tracker, artifact, run_id="ffff0000ffff0000")
        assert client.get_experiment_by_name("games").lifecycle_stage == "active"


class TestTheRegistry:
    """Versions and who is champion."""

    def test_has_each_version_once_under_its_name(
        self, tracker: MlflowTracker, client: Any, artifact: Path
    ) -> None:
        """Registering again changes nothing."""
        tracked, version = record(tracker, artifact), a_version()
        tracker.register(version, tracked)
        tracker.register(version, tracked)
        (found,) = client.search_model_versions("name = 'games'")
        assert found.run_id == tracked
        assert found.tags["flyball.version"] == version.name

    def test_aliases_move_and_go(self, tracker: MlflowTracker, client: Any, artifact: Path) -> None:
        """An alias points at one version at a time; removing it twice is fine."""
        tracked = record(tracker, artifact)
        old, new = a_version(), a_version("1.0.1")
        for version in (old, new):
            tracker.register(version, tracked)
            tracker.alias("games", "champion", version.name)
        found = client.get_model_version_by_alias("games", "champion")
        assert found.tags["flyball.version"] == new.name
        tracker.alias("games", "champion", None)
        tracker.alias("games", "champion", None)
        assert client.get_registered_model("games").aliases == {}

    def test_an_unknown_version_cannot_be_champion(self, tracker: MlflowTracker) -> None:
        """Training registers it."""
        with pytest.raises(NotFound, match="is not registered"):
            tracker.alias("games", "champion", "1.0.0-00000000-00000000")

    def test_removing_an_alias_of_an_unknown_model_is_fine(self, tracker: MlflowTracker) -> None:
        """There is none, which is what was asked for."""
        tracker.alias("nothing", "challenger", None)


class TestConnecting:
    """The first use, and when it fails."""

    def test_is_quiet_and_leaves_nothing_behind(self, first_use: tuple[Path, Any]) -> None:
        """No line on either stream, no folder in the working directory, no telemetry."""
        root, done = first_use
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert list((root / "work").iterdir()) == []
        names = {path.name for path in (root / "home").iterdir()}
        assert not any(name.startswith(".arriving") for name in names)

    def test_two_trackers_may_be_first_at_once(self, tmp_path: Path, artifact: Path) -> None:
        """One makes the database, the other waits for it."""
        uri = f"sqlite:///{tmp_path / 'm.sqlite'}"
        trackers = [MlflowTracker(uri, tmp_path / "r") for _ in range(2)]
        nothing = ("games", "champion", None)
        threads = [threading.Thread(target=one.alias, args=nothing) for one in trackers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        first = record(trackers[0], artifact)
        assert record(trackers[1], artifact) == first

    def test_a_damaged_database_is_said_at_once(self, tmp_path: Path) -> None:
        """Not after MLflow's own 100 seconds of trying; and it is left as it is."""
        path = tmp_path / "m.sqlite"
        path.write_bytes(b"not a database" * 100)
        with pytest.raises(EnvironmentFailed, match=r"m\.sqlite.*not a database"):
            MlflowTracker(f"sqlite:///{path}", tmp_path / "r").alias("games", "champion", None)
        assert path.read_bytes() == b"not a database" * 100

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        """With what to check."""
        (tmp_path / "file").write_text("x")
        tracker = MlflowTracker(f"sqlite:///{tmp_path}/file/m.sqlite", tmp_path / "r")
        with pytest.raises(EnvironmentFailed, match="writable"):
            tracker.alias("games", "champion", None)

    def test_a_server_that_does_not_answer_is_said(
        self, tmp_path: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In one sentence, and without the password of its address."""
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        tracker = MlflowTracker("http://ada:secret@127.0.0.1:9", tmp_path / "r")
        with pytest.raises(EnvironmentFailed, match=r"127\.0\.0\.1:9 cannot be used") as refused:
            record(tracker, artifact)
        assert "secret" not in str(refused.value)


def test_another_seed_is_another_run(tracker: MlflowTracker, artifact: Path) -> None:
    """Runs are told apart by their own id."""
    first = record(tracker, artifact)
    other = replace(a_run(), run_id="0" * 16)
    assert record(tracker, artifact, run_id=other.run_id) != first
