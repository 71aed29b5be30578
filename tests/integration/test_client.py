"""What somebody who uses the client may rely on: against a real worker, and against bad servers."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from client_flavours import awaiting, blocking, until
from flaky_server import flaky, passed_on
from flyball import configuration, wiring
from flyball.client import (
    AsyncClient,
    Event,
    Filters,
    InvalidRequest,
    NotFound,
    TensorIn,
    Unreachable,
    with_ids,
)
from flyball.domain.routing import empty_route
from flyball.ports import Change
from flyball.recommend import Ease
from flyball.testing.builders import a_version
from flyball.testing.games import packaged, some_purchases


@pytest.fixture(params=[blocking, awaiting], ids=["blocking", "awaiting"])
def ask(request):
    """Makes one call with a client of each flavour."""
    return request.param


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A home with one version of games that serves."""
    home = tmp_path_factory.mktemp("home")
    (home / "flyball.toml").write_text('[models.games]\napplication = "games"\n')
    made = wiring.build(configuration.load(home, environ={}))
    artifact = home / "artifact"
    artifact.mkdir()
    packaged(Ease, artifact, some_purchases())
    version = a_version(model="games", artifact=made.blobs.put(artifact))
    route = empty_route("games").loading(version.name, salt="games/1").switched()
    made.records.commit([Change(value=version), Change(value=route)])
    with made.target.at_least_one_worker():
        yield made
    made.close()


@pytest.fixture(scope="module")
def url(platform):
    [worker] = platform.target.workers()
    until(lambda: blocking(worker.url, "ready"))
    return worker.url


class TestAWorker:
    def test_recommends(self, ask, url):
        found = ask(url, "recommend", "player-3", k=4, filters=Filters(exclude=["metroid"]))
        assert (found.model, found.variant, len(found.items)) == ("games", "champion", 4)
        assert found.items[0].reasons
        assert "metroid" not in {item.game_id for item in found.items}
        assert found.recommendation_id.endswith(found.model_version)

    def test_recommends_to_a_history(self, ask, url):
        found = ask(url, "recommend", history=["metroid"], context={"page": "home"}, diversity=0.5)
        assert "metroid" not in {item.game_id for item in found.items}

    def test_recommends_to_many_in_their_order(self, ask, url):
        players = [f"player-{number % 60}" for number in range(2300)]
        found = ask(url, "recommend_many", players, k=3)
        assert len(found) == len(players)
        alone = {p: ask(url, "recommend", p, k=3).items for p in ("player-0", "player-7")}
        for player, one in zip(players, found, strict=True):
            assert one.items == alone.get(player, one.items)
        assert len({one.recommendation_id for one in found}) == len(players)

    def test_lists_the_whole_catalogue_page_by_page(self, ask, url):
        games = ask(url, "games", limit=7)
        ids = [game.game_id for game in games]
        assert len(ids) == 40
        assert ids == sorted(set(ids))
        assert ask(url, "game", ids[0]) == games[0]
        page = ask(url, "games_page", limit=7)
        assert ids[:7] == [game.game_id for game in page.items]
        assert ids[7:] == [game.game_id for game in ask(url, "games", cursor=page.next_cursor)]

    def test_finds_and_compares(self, ask, url):
        assert ask(url, "search", "metrod", k=1).items[0].game_id == "metroid"
        similar = ask(url, "similar", "metroid", k=3, content=0.5)
        assert len(similar.items) == 3
        fate = ask(url, "why_not", "player-3", "metroid", filters=Filters(exclude=["metroid"]))
        assert fate.verdict in ("owned", "filtered")

    def test_tells_how_it_is(self, ask, url):
        assert ask(url, "ready") is True
        assert ask(url, "health")["status"] == "ok"

    def test_answers_in_tensors(self, ask, url):
        who = TensorIn("user_id", [2], "BYTES", ["player-3", "nobody"])
        found = ask(url, "infer", "games", [who], outputs=["game_id"], parameters={"k": 3}, id="7")
        assert (found.model_name, found.id) == ("games", "7")
        games = found.output("game_id")
        assert games.shape == [2, 3]
        again = ask(url, "infer", "games", [who], version=found.model_version, parameters={"k": 3})
        assert again.output("game_id") == games
        with pytest.raises(NotFound, match="is not loaded"):
            ask(url, "infer", "games", [who], version="9.9.9-0123abcd-89ef4567")

    def test_tells_what_is_wrong_with_a_request(self, ask, url):
        with pytest.raises(NotFound, match="no game"):
            ask(url, "game", "no-such-game")
        with pytest.raises(InvalidRequest) as caught:
            ask(url, "recommend", "p", k=0)
        assert caught.value.type == "urn:flyball:problem:invalid-request"
        assert "k" in caught.value.detail

    def test_stores_events_and_tells_which_were_refused(self, ask, url, platform):
        before = platform.events.last()
        now = datetime.now(UTC)
        events = [Event("click", f"p-{n}", "metroid", timestamp=now) for n in range(2050)]
        events[1500] = Event("sneeze", "p", "metroid")
        sent = ask(url, "send", events)
        assert (sent.accepted, sent.duplicates) == (2049, 0)
        assert [each.index for each in sent.rejected] == [1500]
        stored = set()
        while (page := platform.events.after(before))[0]:
            stored |= {event.user_id for event in page[0]}
            before = page[1]
        assert len(stored) == 2049


def test_single_requests_are_answered_while_a_batch_is_worked_on(url):
    """By order: they come after it on the way, and are answered before it."""
    finished = []

    async def calls():
        async with AsyncClient(url, timeout=30.0) as client:

            async def named(name, call):
                await call
                finished.append(name)

            players = [f"player-{number % 60}" for number in range(1000)]
            for warm in range(2):  # two connections stand
                await asyncio.gather(client.search("x"), client.recommend(f"player-{warm}"))
            many = asyncio.create_task(named("many", client.recommend_many(players, k=100)))
            for number in range(3):
                await named(number, client.recommend("player-1"))
            await many

    asyncio.run(calls())
    assert finished == [0, 1, 2, "many"]


@contextmanager
def losing_the_first_answers(url, count):
    """A proxy that passes every request on, and loses the first answers that come back."""

    async def behave(request, writer):
        whole = await passed_on(request, url)
        if request.number < count:
            writer.close()
            return
        writer.write(whole)
        await writer.drain()
        writer.close()

    with flaky(behave) as proxy:
        yield proxy


class TestOnABadWay:
    def test_events_are_stored_once_though_their_answers_are_lost(self, ask, url, platform):
        before, kinds = platform.events.last(), {"type": "purchase", "game_id": "metroid"}
        with losing_the_first_answers(url, 2) as proxy:
            sent = ask(proxy.url, "send", [{**kinds, "user_id": f"once-{n}"} for n in range(5)])
        assert len(proxy.requests) == 3
        assert (sent.accepted, sent.duplicates) == (0, 5)  # stored by the first, as the third saw
        stored = [event.user_id for event in platform.events.after(before)[0]]
        assert sorted(stored) == sorted(platform.pseudonyms.of(f"once-{n}") for n in range(5))

    def test_events_that_failed_can_be_sent_again(self, ask, url, platform):
        before = platform.events.last()
        events = with_ids([Event("play", "again", "metroid", value=2.0)])
        with (
            losing_the_first_answers(url, 1) as proxy,
            pytest.raises(Unreachable) as caught,
        ):
            ask(proxy.url, "send", events, options={"retries": 0})
        assert list(caught.value.unsent) == events
        assert ask(url, "send", caught.value.unsent).duplicates == 1
        assert len(platform.events.after(before)[0]) == 1
