"""Two processes that want the same: one home, one transition, one dataset."""

from __future__ import annotations

import multiprocessing
import signal
from contextlib import ExitStack

import pytest
from gameday_home import MODEL, Finished, opened, picture, same
from gameday_processes import control, flyball, started, until
from gameday_race import (
    PATIENCE_S,
    WON,
    begin_deployment,
    commit,
    roll_back,
    settings_of,
)

from flyball import Flyball
from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.lifecycle import State
from flyball.domain.routing import Route, Slot
from flyball.games.world import World
from flyball.testing.builders import a_deployment, a_route, a_version

MODELS = [f"model-{number}" for number in range(12)]
LOST = {"StaleWrite", "DeploymentError", "IllegalTransition"}


class TestAHomeThatIsHeld:
    """One process turns the loop of a home."""

    @pytest.mark.timeout(900)
    def test_refuses_a_second_run_and_says_who_holds_it(self, source, tmp_path):
        home = tmp_path / "home"
        with started("run", MODEL, source, home=home) as first:
            assert until(lambda: (home / "workflows.sqlite").exists() or not first.running)
            second = flyball("run", MODEL, source, home=home)
            second.refused(3, "held by", "flyball run", str(first.process.pid), "--home")
            assert first.running
            first.killed(whole_group=True)

    @pytest.mark.timeout(900)
    def test_refuses_a_second_control_process_and_lets_people_look(self, broken):
        with control(broken) as first:
            with started("--port", "0", home=broken, module="flyball.console") as second:
                second.ended().refused(3, "held by", "flyball up", str(first.process.pid))
            looked = flyball("status", "--json", home=broken)
            assert looked.code == 0
            assert str(first.process.pid) in looked.json()["control"]
            assert first.running


class TestARace:
    """Two processes that start at one barrier; twelve races each."""

    def _race(self, runner, home):
        context = multiprocessing.get_context("spawn")
        start, told = context.Barrier(2), context.Queue()
        runners = [
            context.Process(target=runner, args=(home, MODELS, number, start, told))
            for number in range(2)
        ]
        for process in runners:
            process.start()
        outcomes = {model: [] for model in MODELS}
        for _ in range(2 * len(MODELS)):
            model, outcome = told.get(timeout=PATIENCE_S)
            outcomes[model].append(outcome)
        for process in runners:
            process.join(PATIENCE_S)
        return outcomes

    @pytest.mark.timeout(900)
    def test_for_a_rollback_is_won_by_exactly_one(self, tmp_path):
        home = tmp_path / "home"
        commit(home, MODELS, [value for model in MODELS for value in _rolled_out(model)])
        outcomes = self._race(roll_back, home)
        assert [found.count(WON) for found in outcomes.values()] == [1] * len(MODELS)
        assert {one for found in outcomes.values() for one in found} <= LOST | {WON}
        verbs = Flyball(config=settings_of(home, MODELS))
        for model in MODELS:
            route = verbs.platform.records.get(Route, model)
            assert (route.champion, route.generation) == (_old(model).name, 3)
            assert len([r for r in verbs.ledger(model) if r.entry.action == "route"]) == 1
        assert verbs.verify_ledger() == 2 * len(MODELS)

    @pytest.mark.timeout(900)
    def test_for_a_deployment_is_won_by_exactly_one(self, tmp_path):
        home = tmp_path / "home"
        staged = [
            a_version(number, model=model, state=State.STAGING)
            for model in MODELS
            for number in ("1.0.0", "1.0.1")
        ]
        commit(home, MODELS, staged)
        outcomes = self._race(begin_deployment, home)
        assert [found.count(WON) for found in outcomes.values()] == [1] * len(MODELS)
        assert {one for found in outcomes.values() for one in found} <= LOST | {WON}
        verbs = Flyball(config=settings_of(home, MODELS))
        for model in MODELS:
            (deployment,) = verbs.platform.records.find(Deployment, model=model)
            route = verbs.platform.records.get(Route, model)
            assert (route.standby, route.generation) == (deployment.version, 1)
        assert verbs.verify_ledger() == len(MODELS)


class TestConcurrentIngests:
    """Three commands at once, through one control process."""

    @pytest.mark.slow
    @pytest.mark.timeout(900)
    def test_all_become_batches_of_one_dataset(self, tmp_path):
        home = tmp_path / "home"
        sources = []
        for seed in (21, 22, 23):
            World(seed, players=30).write(tmp_path / f"{seed}.csv")
            sources.append(tmp_path / f"{seed}.csv")
        with control(home) as process, ExitStack() as stack:
            asked = [
                stack.enter_context(started("ingest", MODEL, path, "--json", home=home))
                for path in sources
            ]
            ended = [command.ended() for command in asked]
            assert [one.code for one in ended] == [0, 0, 0], ended
            process.process.send_signal(signal.SIGTERM)
            assert process.ended().code == 0
        assert all(one.json()[0]["new"] for one in ended)
        verbs = opened(home)
        batches = verbs.platform.records.find(DataBatch)
        newest = verbs.platform.records.find(DatasetVersion)[-1]
        assert sorted(b.source for b in batches) == sorted(map(str, sources))
        assert newest.batches == tuple(b.batch_id for b in batches)
        assert newest.rows == sum(b.rows for b in batches)
        assert [r.entry.action for r in verbs.ledger()] == ["ingest"] * 3
        assert verbs.verify_ledger() == 3


class TestACommandBesideTheControlProcess:
    """Handed over, not refused."""

    @pytest.mark.slow
    @pytest.mark.timeout(900)
    def test_is_carried_out_by_it(self, reference, broken):
        before = Finished.on(broken)
        with control(broken):
            again = flyball("run", MODEL, reference.source, "--json", home=broken)
            assert again.code == 0, again.err
            assert not again.json()["trained"]["new"]
        before.still_stands(broken)
        same(picture(broken), reference.picture())


def _old(model):
    return a_version("1.0.0", model=model, state=State.PRODUCTION)


def _rolled_out(model):
    """A version that serves, and the one before it, loaded beside it."""
    old, new = _old(model), a_version("1.1.0", model=model, state=State.MONITORING)
    slots = {Slot.BLUE: old.name, Slot.GREEN: new.name}
    return (
        old,
        new,
        a_deployment(model=model, version=old.name, phase=Phase.DONE),
        a_deployment(
            model=model, version=new.name, ordinal=2, phase=Phase.BAKING, replaces=old.name
        ),
        a_route(model=model, slots=slots, live=Slot.GREEN, generation=2),
    )
