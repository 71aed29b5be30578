"""The client where a worker asks for credentials: keys, programs and people."""

from __future__ import annotations

import asyncio
import json

import pytest

from client_flavours import until
from flyball import configuration, wiring
from flyball.access.verbs import Access
from flyball.client import ApiError, AsyncClient, Client, Forbidden, Unauthenticated
from flyball.domain.access import Scope
from flyball.domain.routing import empty_route
from flyball.ports import Change
from flyball.recommend import Ease
from flyball.testing.builders import a_version
from flyball.testing.games import a_purchase, packaged, some_purchases

pytestmark = pytest.mark.xdist_group("client-signed-in")  # one worker for all of them

PASSWORD = "seven green otters sing"


class Shop:
    """A running worker that asks for credentials, and some of them."""

    def __init__(self, url, access):
        self.url, self.access = url, access
        self.key = access.create_key("reader", [Scope.READ]).text
        self.secret = access.create_client("app", [Scope.READ]).secret
        access.create_account("ada", PASSWORD, [Scope.READ, Scope.EVENTS])
        self.ada = ("ada", PASSWORD)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("shop")
    access = {"required": True, "sign_in_rate": 0, "failure_rate": 0}
    lines = [f"{name} = {json.dumps(value)}" for name, value in access.items()]
    models = '[models.games]\napplication = "games"\n'
    (home / "flyball.toml").write_text("\n".join([models, "[access]", *lines, ""]))
    platform = wiring.build(configuration.load(home, environ={}))
    artifact = home / "artifact"
    artifact.mkdir()
    packaged(Ease, artifact, some_purchases())
    version = a_version(model="games", artifact=platform.blobs.put(artifact))
    route = empty_route("games").loading(version.name, salt="games/1").switched()
    platform.records.commit([Change(value=version), Change(value=route)])
    made = Access(platform.records, platform.clock, "operator:test")
    made.create_key("first", [Scope.READ])  # a worker without any refuses to start
    with platform.target.at_least_one_worker():
        [worker] = platform.target.workers()
        shop = Shop(worker.url, made)
        until(lambda: knows(shop))
        yield shop
    platform.close()


def knows(shop):
    """Whether the worker has loaded its version, and knows what was made last."""
    try:
        with Client(shop.url, password=shop.ada, timeout=10.0) as client:
            return client.ready() and bool(client.recommend("p", k=1).items)
    except ApiError:
        return False


def test_a_key_opens_what_it_is_for(shop):
    with Client(shop.url, api_key=shop.key, timeout=10.0) as client:
        assert client.recommend("player-1", k=2).items
        with pytest.raises(Forbidden, match="events"):
            client.send([a_purchase()])
    with Client(shop.url, timeout=10.0) as nobody, pytest.raises(Unauthenticated):
        nobody.recommend("player-1")


def test_a_program_signs_in_by_itself(shop):
    with Client(shop.url, client_credentials=("app", shop.secret), timeout=10.0) as client:
        assert client.recommend("player-1", k=2).items
    with (
        Client(shop.url, client_credentials=("app", "wrong"), timeout=10.0) as client,
        pytest.raises(Unauthenticated),
    ):
        client.recommend("player-1")


def test_a_person_signs_in_by_themselves(shop):
    with Client(shop.url, password=shop.ada, timeout=10.0) as client:
        assert client.send([a_purchase(1, user_id="ada-1")]).accepted == 1
    with (
        Client(shop.url, password=("ada", "wrong"), timeout=10.0) as client,
        pytest.raises(ApiError, match="password"),
    ):
        client.recommend("player-1")


def test_tokens_that_are_void_are_renewed_unseen(shop):
    """As after a signing key was replaced at once: calls on their way go on."""

    async def calls():
        async with AsyncClient(shop.url, password=shop.ada, timeout=15.0) as client:
            assert (await client.recommend("player-1", k=1)).items
            shop.access.rotate_signing_key(at_once=True)
            for _ in range(20):
                answers = await asyncio.gather(*(client.recommend("p", k=1) for _ in range(10)))
                assert all(answer.items for answer in answers)
                await asyncio.sleep(0.1)

    asyncio.run(calls())
