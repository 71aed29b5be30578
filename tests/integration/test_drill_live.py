"""A rollback rehearsed on real workers under real traffic, and one that is killed midway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from toy import MODEL, Load, ToyHome, until

from flyball.domain.deployment import Phase, loaded
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.validation import Verdict
from flyball.drills import Drills, serving
from flyball.executors.supervisor import Supervisor
from flyball.loop.tasks import desk
from flyball.ports import Change
from flyball.serving.server import listening, url_of
from flyball.steps.rehearsal import end_overdue
from flyball.testing.builders import a_deployment

WORKERS = 2


def in_production(home: ToyHome, answer: str, ordinal: int) -> ModelVersion:
    """A version that was deployed and found healthy."""
    made = home.publish(answer)
    good = replace(made, state=State.PRODUCTION)
    done = a_deployment(model=MODEL, version=made.name, ordinal=ordinal, phase=Phase.DONE)
    home.records.commit([Change(value=good, replacing=made), Change(value=done)])
    return good


@pytest.fixture
def home(tmp_path: Path) -> ToyHome:
    home = ToyHome(tmp_path / "home")
    home.serve(in_production(home, "old", 1))
    home.serve(in_production(home, "new", 2))
    return home


@pytest.fixture
def url(home: ToyHome) -> Iterator[str]:
    """Two supervised workers on one socket, with both versions loaded."""
    with listening("127.0.0.1", 0) as sock:
        supervisor = Supervisor([home.worker(n, sock.fileno()) for n in range(WORKERS)])
        stop = threading.Event()
        thread = threading.Thread(target=supervisor.run, args=(stop,))
        thread.start()
        try:
            until(lambda: home.all_applied(home.route(), WORKERS), 60)
            until(lambda: all_loaded(home), 60)
            yield url_of(sock)
        finally:
            stop.set()
            thread.join()


def all_loaded(home: ToyHome) -> bool:
    route = home.route()
    return loaded(route, route.standby or "", home.statuses())[0] is Verdict.PASS


def test_a_rollback_is_rehearsed_under_load_without_a_failed_request(home, url):
    before = home.route()
    with Load(url).running() as load:
        until(lambda: load.answers)
        drill = Drills(home.platform, "operator:ada").rollback(MODEL, within_s=5.0)
        answered = len(load.answers)
        until(lambda: len(load.answers) > answered + 50)
    assert load.failures == []
    assert drill.shortfalls == ()
    assert drill.failed == 0
    assert drill.requests > 100
    assert len(drill.there.confirmed) + len(drill.back.confirmed) > 0
    assert {answer for _, answer, _ in load.answers} == {"old", "new"}
    assert load.answers[-1][1] == "new"
    assert replace(home.route(), generation=before.generation) == before
    assert {v.state for v in home.records.find(ModelVersion)} == {State.PRODUCTION}
    assert [row.entry.action for row in home.records.ledger()] == ["drill"] * 3


def test_workers_at_one_address_are_told_apart_by_their_health_pages(home, url):
    workers = [status.worker for status in home.statuses()]
    said = serving(url, MODEL, workers)
    assert set(said) <= set(workers)
    assert set(said.values()) == {home.route().champion}


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import toy
from flyball import configuration, wiring
from flyball.loop.tasks import desk
from flyball.steps.drill import rehearse
platform = wiring.build(configuration.load(Path(sys.argv[1]), environ={}))
rehearse(
    desk(platform, toy.MODEL, "operator:ada"),
    toy.MODEL,
    within_s=1.0,
    asked=lambda *_: {},
    wait=lambda _: os.kill(os.getpid(), signal.SIGKILL),
)
"""


@pytest.mark.slow
def test_one_that_is_killed_between_its_switches_is_ended_by_the_controller(home, url):
    """The version before serves for some seconds, and then what served before does again."""
    before = home.route()
    argv = [sys.executable, "-c", KILLED, str(home.home), str(Path(__file__).parent)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FLYBALL_")}
    ended = subprocess.run(argv, env=environment, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL
    until(lambda: httpx.get(f"{url}/v1/answer").json()["answer"] == "old")
    bench = desk(home.platform, MODEL, "controller")
    with Load(url).running() as load:

        def over() -> bool:
            end_overdue(bench, MODEL)  # as each tick does
            return home.route().rehearsal_ends is None

        until(over, 60)
        until(lambda: load.answers[-1:] and load.answers[-1][1] == "new")
    assert load.failures == []
    assert replace(home.route(), generation=before.generation) == before
