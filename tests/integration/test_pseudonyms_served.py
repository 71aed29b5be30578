"""Real servers on data that knows its players by pseudonyms: asked with ids, they answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest

from flyball import configuration, wiring
from flyball.data.privacy import Privacy
from flyball.domain.data import DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import empty_route
from flyball.loop import tasks
from flyball.ports import Change
from flyball.recommend import Ease
from flyball.testing.builders import a_version
from flyball.testing.games import a_purchase, as_tables, some_purchases
from flyball.wiring import Platform


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition; fails the test when it stays false."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        pause.wait(0.02)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A home whose data was ingested from a file with players' ids."""
    home = tmp_path_factory.mktemp("home")
    (home / "flyball.toml").write_text('[models.games]\napplication = "games"\n')
    made = wiring.build(configuration.load(home, environ={}))
    some_purchases().write_csv(home / "rows.csv")
    request = {"location": str(home / "rows.csv"), "accept": True}
    tasks.ingest(made, "games", request, "operator:ada")
    yield made
    made.close()


@pytest.fixture(scope="module")
def version(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> ModelVersion:
    """A version that learned from that data, and serves."""
    artifact: Path = tmp_path_factory.mktemp("artifact") / "games"
    artifact.mkdir()
    [newest] = platform.records.find(DatasetVersion, model="games", limit=1)
    [file] = newest.tables()["interactions"]
    tables = as_tables(pl.read_parquet(platform.datasets.path(file)))
    application = platform.application("games")
    prepared = application.prepare(tables, seed=7)
    model = Ease.fit(prepared.final.train, Ease.Config())
    application.package(model, prepared, tables, artifact)
    made = a_version(model="games", artifact=platform.blobs.put(artifact))
    route = empty_route("games").loading(made.name, salt="games/1").switched()
    platform.records.commit([Change(value=made), Change(value=route)])
    return made


def games(url: str, player: str, k: int = 100) -> list[dict]:
    answer = httpx.get(f"{url}/v1/recommendations/{player}", params={"k": k}, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_a_candidate_answers_ids_and_holds_its_exercise(platform, version):
    with platform.target.candidate(version) as url:
        tried = list(platform.application("games").exercise(url))
        known, stranger = games(url, "player-3", 5), games(url, "stranger", 5)
    assert [what for what, held, _ in tried if not held] == []
    assert all(reason["game_id"] for item in known[:1] for reason in item["reasons"])
    assert known[0]["reasons"]
    assert not any(reason["game_id"] for item in stranger for reason in item["reasons"])


def test_a_worker_knows_players_by_pseudonyms_and_lets_go_of_the_forgotten(platform, version):
    with platform.target.at_least_one_worker():
        [worker] = platform.target.workers()
        ready = f"{worker.url}/health/ready"  # it reports before it has loaded the version
        until(lambda: httpx.get(ready, trust_env=False).status_code == 200)
        bought = games(worker.url, "player-3", 1)[0]["game_id"]
        sent = [a_purchase(game_id=bought)]
        httpx.post(f"{worker.url}/v1/events", json=sent, trust_env=False).raise_for_status()
        assert bought not in {item["game_id"] for item in games(worker.url, "player-3")}
        [event] = platform.events.after(0)[0]
        assert event.user_id == platform.pseudonyms.of("player-3")
        done = Privacy(platform, "operator:ada").forget("games", "player-3")
        assert done.events == 1
        assert done.rows > 0
        until(lambda: bought in {item["game_id"] for item in games(worker.url, "player-3")})
