"""Owned, hidden and filtered games never appear: two workers, events and swaps against a model."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from flyball.domain.routing import Route, Slot
from flyball.games.application import GamesApplication
from flyball.games.servable import GamesServable
from flyball.recommend import Ease, Popularity
from flyball.serving.edge.edge import Edge
from flyball.serving.host import ModelHost
from flyball.serving.journal import Journal
from flyball.serving.overlay import Overlay
from flyball.serving.slots import Loaded, Slots
from flyball.storage.database import open_database
from flyball.storage.traffic import SqlEvents
from flyball.telemetry.metrics import Metrics
from flyball.testing.fakes import MemoryRecords
from flyball.testing.games import packaged, some_purchases

APPLICATION: Any = GamesApplication()
OLD, NEW = "1.0.0-0123abcd-89ef4567", "1.1.0-0123abcd-00000000"
PLAYERS = ["player-1", "player-2", "never-seen"]
HIDING = ("purchase", "play", "dislike")
GENRES = ["puzzle", "strategy", "shooter"]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, GamesServable]:
    """Two versions of unlike families and data."""
    folder = tmp_path_factory.mktemp("versions")
    return {
        OLD: packaged(Popularity, folder / "old", some_purchases(seed=1)),
        NEW: packaged(Ease, folder / "new", some_purchases(seed=2)),
    }


class Process:
    """What one worker holds, without its threads: they are turned by hand or by a test's own."""

    def __init__(self, events: SqlEvents, versions: dict[str, GamesServable]) -> None:
        self.slots, self.versions = Slots("games"), versions
        self.overlay = Overlay(events, MemoryRecords())
        self.journal = Journal(events)
        self.rules = APPLICATION.read_rules({})
        host = ModelHost(
            self.slots,
            Metrics(),
            journal=self.journal,
            overlay=self.overlay,
            rules=lambda: self.rules,
        )
        app = FastAPI()
        app.include_router(APPLICATION.routes(host))
        self.app = Edge(app, loopback=False)
        self.generation = 0

    def serve(self, live: str, share: float) -> None:
        """Put a route in force: this version live, the other beside it with a share of players."""
        self.generation += 1
        other = NEW if live == OLD else OLD
        self.slots.follow(
            Route(
                model="games",
                generation=self.generation,
                slots={Slot.BLUE: live, Slot.GREEN: other},
                live=Slot.BLUE,
                challenger_share=share,
                salt=str(self.generation),
            )
        )
        for version in (live, other):
            self.slots.put(Loaded(version=version, servable=self.versions[version], answered=1))

    async def ask(self, path: str, body: Any) -> dict[str, Any]:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = json.loads(answer.content)
        return found


@contextmanager
def shop(versions: dict[str, GamesServable], workers: int) -> Iterator[list[Process]]:
    """So many workers on one database."""
    with TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'events.sqlite'}")
        processes = [Process(SqlEvents(engine), versions) for _ in range(workers)]
        for process in processes:
            process.journal.start()
            process.serve(OLD, 0.0)
        try:
            yield processes
        finally:
            for process in processes:
                process.journal.stop()
            engine.dispose()


def on_record(servable: GamesServable, player: str) -> set[str]:
    """The games that a version's own record says the player has."""
    return {servable.artifact.items[c] for c in servable.owned(player).items.tolist()}


def event(number: int, kind: str, player: str, game: str) -> dict[str, str]:
    return {"event_id": f"e{number}", "type": kind, "user_id": player, "game_id": game}


def machine(versions: dict[str, GamesServable]) -> type[RuleBasedStateMachine]:
    games = sorted(versions[OLD].artifact.items)
    a_worker, a_player = st.integers(0, 1), st.sampled_from(PLAYERS)
    a_game = st.sampled_from(games)

    class Shop(RuleBasedStateMachine):
        """The truth: who did what, and which worker has heard of it."""

        @initialize()
        def open(self) -> None:
            self.entered = shop(versions, workers=2)
            self.workers = self.entered.__enter__()
            self.known: list[dict[str, set[str]]] = [defaultdict(set), defaultdict(set)]
            self.told: dict[str, set[str]] = defaultdict(set)
            self.banned: list[set[str]] = [set(), set()]
            self.sent = 0

        def teardown(self) -> None:
            self.entered.__exit__(None, None, None)

        @rule(worker=a_worker, player=a_player, game=a_game, kind=st.sampled_from(HIDING))
        def tell(self, worker: int, player: str, game: str, kind: str) -> None:
            self.sent += 1
            sent = [event(self.sent, kind, player, game)]
            answer = asyncio.run(self.workers[worker].ask("/v1/events", sent))
            assert answer["accepted"] == 1
            self.told[player].add(game)
            self.known[worker][player].add(game)  # acknowledged: this worker knows it from now on

        @rule(worker=a_worker)
        def poll(self, worker: int) -> None:
            self.workers[worker].overlay.read()
            for player, found in self.told.items():
                self.known[worker][player] |= found

        @rule(worker=a_worker, live=st.sampled_from([OLD, NEW]), share=st.sampled_from([0, 0.5, 1]))
        def swap(self, worker: int, live: str, share: float) -> None:
            self.workers[worker].serve(live, share)

        @rule(worker=a_worker, found=st.sets(a_game, max_size=5))
        def hide(self, worker: int, found: set[str]) -> None:
            self.workers[worker].rules = APPLICATION.read_rules({"hidden": sorted(found)})
            self.banned[worker] = found

        @precondition(lambda self: self.sent > 0)
        @rule(
            worker=a_worker,
            player=a_player,
            k=st.integers(1, 60),
            genres=st.none() | st.lists(st.sampled_from(GENRES), min_size=1, max_size=2),
            history=st.sets(a_game, max_size=6),
            excluded=st.sets(a_game, max_size=6),
        )
        def ask(
            self,
            worker: int,
            player: str,
            k: int,
            genres: list[str] | None,
            history: set[str],
            excluded: set[str],
        ) -> None:
            filters: dict[str, Any] = {"exclude": sorted(excluded)}
            if genres is not None:
                filters["genres"] = genres
            body = {"user_id": player, "history": sorted(history), "k": k, "filters": filters}
            answer = asyncio.run(self.workers[worker].ask("/v1/recommendations", body))
            servable = versions[answer["model_version"]]
            never = self.known[worker][player] | self.banned[worker] | history | excluded
            never |= on_record(servable, player)
            shown = [item["game_id"] for item in answer["items"]]
            allowed = [
                game.game_id
                for game in servable.catalogue.games
                if game.game_id not in never
                and (genres is None or set(genres) & {g.casefold() for g in game.genres})
            ]
            assert not set(shown) & never
            assert len(set(shown)) == len(shown) == min(k, len(allowed))
            assert answer["underfilled"] is (len(shown) < k)
            assert set(shown) <= set(allowed)

        @invariant()
        def nothing_is_lost(self) -> None:
            if self.sent:
                events = self.workers[0].overlay._events
                assert sum(events.count("games").values()) == self.sent

    return Shop


def test_whatever_happens_in_whatever_order(versions):
    made = machine(versions).TestCase
    made.settings = settings(
        max_examples=12,
        stateful_step_count=25,
        deadline=None,
        phases=[Phase.generate],  # to shrink what opens a database takes minutes
        suppress_health_check=list(HealthCheck),
    )
    made().runTest()


def test_while_events_arrive_elsewhere_and_versions_swap(versions):
    """One worker answers; meanwhile another stores purchases, and threads read them and swap."""
    games = sorted(versions[NEW].artifact.items)
    with shop(versions, workers=2) as (answering, storing):
        finished = threading.Event()

        def swapping() -> None:
            turn = 0
            while not finished.is_set():
                turn += 1
                answering.serve((OLD, NEW)[turn % 2], (0.0, 0.5, 1.0)[turn % 3])

        def reading() -> None:
            while not finished.is_set():
                answering.overlay.read()

        threads = [threading.Thread(target=each) for each in (swapping, reading)]
        for thread in threads:
            thread.start()
        try:
            seen = asyncio.run(_buying_everything(answering, storing, games))
        finally:
            finished.set()
            for thread in threads:
                thread.join()
    assert seen == {OLD, NEW}, "both versions answered"


async def _buying_everything(
    answering: Process, storing: Process, games: Sequence[str]
) -> set[str]:
    """Buy one game after the other; each is hidden as soon as the overlay has it, and for good."""
    bought: set[str] = set()
    seen = set()
    body = {"user_id": "never-seen", "k": 60}
    for number, game in enumerate(games):
        await storing.ask("/v1/events", [event(number, "purchase", "never-seen", game)])
        while game not in answering.overlay.of("games", "never-seen").get("purchase", ()):
            await asyncio.sleep(0)
        bought.add(game)
        for _ in range(3):
            answer = await answering.ask("/v1/recommendations", body)
            seen.add(answer["model_version"])
            assert not {item["game_id"] for item in answer["items"]} & bought
            assert len(answer["items"]) == len(games) - len(bought)
    return seen
