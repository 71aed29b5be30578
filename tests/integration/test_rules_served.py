"""Business rules reach every worker: set on a running server, they hold a moment later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from flyball import configuration, wiring
from flyball.domain.routing import empty_route
from flyball.ports import Change
from flyball.recommend import Ease
from flyball.steps.set_rules import set_rules
from flyball.testing.builders import a_version
from flyball.testing.games import packaged, some_purchases
from flyball.wiring import Platform


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition; fails the test when it stays false."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        pause.wait(0.02)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A home with one version of games that serves."""
    (tmp_path / "flyball.toml").write_text('[models.games]\napplication = "games"\n')
    made = wiring.build(configuration.load(tmp_path, environ={}))
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    packaged(Ease, artifact, some_purchases())
    version = a_version(model="games", artifact=made.blobs.put(artifact))
    route = empty_route("games").loading(version.name, salt="games/1").switched()
    made.records.commit([Change(value=version), Change(value=route)])
    yield made
    made.close()


def test_pins_and_hidden_games_hold_on_a_running_worker_until_they_are_cleared(platform):
    def put(document):
        set_rules(
            "games",
            document,
            application=platform.application("games"),
            records=platform.records,
            clock=platform.clock,
            actor="operator:ada",
        )

    with platform.target.at_least_one_worker():
        [worker] = platform.target.workers()
        ready = f"{worker.url}/health/ready"  # it reports before it has loaded the version
        until(lambda: httpx.get(ready, trust_env=False).status_code == 200)

        def shown():
            answer = httpx.get(
                f"{worker.url}/v1/recommendations/somebody", params={"k": 3}, trust_env=False
            )
            return [item["game_id"] for item in answer.json()["items"]]

        first, second, third = shown()
        put({"hidden": [first], "pins": [{"game_id": third, "place": 1}]})
        until(lambda: shown()[:2] == [third, second])
        fate = httpx.get(f"{worker.url}/v1/why-not/somebody/{first}", trust_env=False).json()
        assert fate["verdict"] == "hidden"
        put({})
        until(lambda: shown() == [first, second, third])
