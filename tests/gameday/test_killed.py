"""``kill -9`` of ``flyball run``, and the same command again: as if nothing had happened.

At every boundary between two effects, seen from outside, and at random instants (seeded; more of
them with ``GAMEDAY_KILLS``). Kills follow one another on one home: a second one must not hurt what
recovered from the first.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from gameday_home import MODEL, Finished, count, opened, picture, same
from gameday_processes import TRIALS, control, flyball, started, until

from flyball.domain.deployment import Deployment, Phase

KILLS = int(os.environ.get("GAMEDAY_KILLS", "4"))
PER_HOME = 4
"""Random kills in a row on one home."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("killed"),  # groups begin first, and these take long
]


@dataclass(frozen=True)
class Boundary:
    """A moment between two effects: what a look at the home shows once it has come."""

    name: str
    passed: Callable[[Path], object]


def _rows(database: str, table: str, least: int, where: str = "1") -> Callable[[Path], bool]:
    return lambda home: count(home / f"{database}.sqlite", table, where) >= least


def _there(pattern: str) -> Callable[[Path], bool]:
    return lambda home: any(home.glob(pattern))


def _ledger(least: int) -> Callable[[Path], bool]:
    return _rows("flyball", "flyball_ledger", least)


def _steps(least: int) -> Callable[[Path], bool]:
    return _rows("workflows", "operation_outputs", least)


def _trials(least: int) -> Callable[[Path], bool]:
    return _rows("studies", "trials", least, "state = 'COMPLETE'")


INGEST = [
    Boundary("the workflows' database is made", _there("workflows.sqlite")),
    Boundary("the turn is asked for", _rows("workflows", "workflow_status", 1)),
    Boundary("the records' database is made", _there("flyball.sqlite")),
    Boundary("the batch's file is stored", _there(".dvc/cache/files/md5/*/*")),
    Boundary("the batch is committed", _ledger(1)),
]
TRAIN = [
    Boundary("ingest is done", _steps(1)),
    Boundary("the run is recorded", _rows("flyball", "flyball_runs", 1)),
    Boundary("the search's database is made", _there("studies.sqlite")),
    Boundary("a trial is complete", _trials(1)),
    Boundary("all trials are complete", _trials(TRIALS)),
    Boundary("the artifact is stored", _there("artifacts/??/*/manifest.json")),
    Boundary("MLflow's database is made", _there("mlflow.sqlite")),
    Boundary("MLflow has the run", _rows("mlflow", "runs", 1)),
    Boundary("the version is committed", _ledger(4)),
    Boundary("MLflow has the version", _rows("mlflow", "model_versions", 1)),
]
DEPLOY = [
    Boundary("training is done", _steps(2)),
    Boundary("the report is stored", _there("artifacts/??/*/report.html")),
    Boundary("the report is committed", _ledger(5)),
    Boundary("validation is done", _steps(3)),
    Boundary("the deployment is begun", _ledger(6)),
    Boundary("traffic is switched", _ledger(8)),
    Boundary("the bake has begun", _ledger(9)),
    Boundary("the deployment is done", _steps(4)),
]
STRETCHES = {"ingest": INGEST, "training": TRAIN, "validation and deployment": DEPLOY}


class TestAKilledRun:
    """The same command goes on from where the kill fell, and ends like an undisturbed run."""

    @pytest.mark.parametrize("stretch", STRETCHES)
    def test_goes_on_after_a_kill_at_each_boundary(self, stretch, reference, tmp_path):
        home = tmp_path / "home"
        for number, boundary in enumerate(STRETCHES[stretch]):
            before = Finished.on(home)
            with started("run", MODEL, reference.source, home=home) as command:
                _wait_for(boundary, home, command)
                command.killed(whole_group=number % 2 == 0)
            before.still_stands(home)
        self._ends_like(reference, home)

    @pytest.mark.parametrize("seed", range(max(1, KILLS // PER_HOME)))
    def test_goes_on_after_kills_at_random_instants(self, seed, reference, tmp_path):
        home, chance, kills = tmp_path / "home", random.Random(seed), 0
        while kills < PER_HOME:
            before = Finished.on(home)
            instant = chance.uniform(0.02, 0.7) * reference.seconds  # resumed, it is shorter
            with started("run", MODEL, reference.source, home=home) as command:
                until(lambda: not command.running, instant)
                fell = command.killed(whole_group=chance.random() < 0.5)
            before.still_stands(home)
            kills += fell
            if not fell:  # it came to its end before that instant
                self._ends_like(reference, home)
                home = tmp_path / f"home-{kills}"
        self._ends_like(reference, home)

    def test_is_taken_up_by_the_control_process(self, reference, tmp_path):
        """`flyball up` needs no one to repeat the command."""
        home = tmp_path / "home"
        with started("run", MODEL, reference.source, home=home) as command:
            assert until(lambda: _trials(1)(home) or not command.running)
            command.killed(whole_group=True)
        before = Finished.on(home)
        with control(home) as process:
            assert until(lambda: _steps(4)(home), every=0.1), process.ended().err
            process.process.send_signal(signal.SIGTERM)
            assert process.ended().code == 0
        before.still_stands(home)
        self._ends_like(reference, home)

    def _ends_like(self, reference, home):
        before = Finished.on(home)
        ended = flyball("run", MODEL, reference.source, "--json", home=home)
        assert ended.code == 0, ended.err
        before.still_stands(home)
        same(picture(home), reference.picture())
        assert _outcome(ended.json()) == _outcome(reference.answer)


class TestAKilledSearch:
    """``flyball train`` over many families: defaults, draws and combinations."""

    COMMAND = ("train", MODEL, "--trials", "13", "--json")
    KILLED_AFTER = (2, 10, 12)
    """Ended trials: among the defaults, among the draws, before the combination."""

    def test_goes_on_and_finds_what_an_undisturbed_one_finds(self, source, tmp_path):
        calm, killed = tmp_path / "calm", tmp_path / "killed"
        ingested = flyball("ingest", MODEL, source, home=calm)
        assert ingested.code == 0, ingested.err
        shutil.copytree(calm, killed)
        wanted = self._trained(calm)
        for number, least in enumerate(self.KILLED_AFTER):
            ended = Boundary(f"{least} trials have ended", _trials_ended(least))
            before = Finished.on(killed)
            with started(*self.COMMAND, home=killed) as command:
                _wait_for(ended, killed, command)
                command.killed(whole_group=number % 2 == 0)
            before.still_stands(killed)
        assert self._trained(killed) == wanted
        same(picture(killed), picture(calm))
        families = {family for _, family, *_ in picture(killed)["trials"]}
        assert len(families) >= 8
        assert "blend" in families

    def _trained(self, home):
        ended = flyball(*self.COMMAND, home=home)
        assert ended.code == 0, ended.err
        version = ended.json()["version"]
        return version["name"], version["artifact"], version["metrics"]


class TestAnUndisturbedRun:
    """What the others are compared with holds what it should; and done is done."""

    def test_leaves_one_of_each(self, reference):
        seen = reference.picture()
        kinds = ("batches", "runs", "versions", "reports", "deployments", "routes")
        assert {kind: len(seen[kind]) for kind in kinds} == dict.fromkeys(kinds, 1)
        assert seen["mlflow"]["runs"] == [(seen["runs"][0][0].split("/")[1], "FINISHED", "active")]
        assert seen["mlflow"]["versions"] == [(MODEL, 1)]
        assert ("champion", 1) in seen["mlflow"]["aliases"]
        assert [trial[0] for trial in seen["trials"]] == list(range(TRIALS))
        assert (len(seen["models"]), seen["scratch"], seen["unfinished"]) == (1, [], [])
        deployment = opened(reference.home).platform.records.find(Deployment)[0]
        assert deployment.phase is Phase.BAKING

    def test_makes_nothing_when_it_is_repeated(self, reference, broken):
        before = Finished.on(broken)
        again = flyball("run", MODEL, reference.source, "--json", home=broken)
        assert again.code == 0, again.err
        answer = again.json()
        assert [item["new"] for item in answer["ingested"]] == [False]
        assert (answer["trained"]["new"], answer["deployed"]["new"]) == (False, False)
        before.still_stands(broken)
        same(picture(broken), reference.picture())


def _trials_ended(least: int) -> Callable[[Path], bool]:
    return _rows("studies", "trials", least, "state != 'RUNNING'")  # some are pruned


def _wait_for(boundary, home, command):
    until(lambda: boundary.passed(home) or not command.running)
    assert boundary.passed(home), f"never came: {boundary.name}; {command.ended()}"


def _outcome(answer):
    """What a turn came to, in names."""
    version, deployment = answer["trained"]["version"], answer["deployed"]["deployment"]
    report = {key: answer["report"][key] for key in ("report_id", "version", "decision")}
    return version["name"], version["artifact"], report, deployment["version"], deployment["phase"]
