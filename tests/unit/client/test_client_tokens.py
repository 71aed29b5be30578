"""When a client signs in, refreshes and gives up; nothing is sent here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from client_world import AWAY, FOUND, World, said, search

from flyball.client.credentials import Fixed, SignedIn
from flyball.client.effects import Answer, Lost
from flyball.client.errors import Unauthenticated


def token(name: str, **fields: Any) -> Answer:
    return Answer(200, {}, msgspec.json.encode({"access_token": name, "expires_in": 100, **fields}))


class TestTokens:
    def signed_in(self, *came: Answer | Lost) -> World:
        world = World(*came)
        credentials = SignedIn({"grant_type": "password"}, clock=lambda: world.time)
        world.session = replace(world.session, credentials=credentials)
        return world

    def used(self, world: World) -> list[str]:
        return [
            wire.headers.get("authorization", "").removeprefix("Bearer ")
            or wire.url.removeprefix("http://server")
            for wire in world.wires
        ]

    def test_are_got_before_the_first_call_and_used_until_they_end(self):
        world = self.signed_in(token("one"), FOUND, FOUND, token("two"), FOUND)
        world.run(search())
        world.time = 79.0
        world.run(search())
        world.time = 80.0  # in the last fifth of its life
        world.run(search())
        assert self.used(world) == ["/auth/token", "one", "one", "/auth/token", "two"]

    def test_are_refreshed_where_that_can_be(self):
        world = self.signed_in(token("one", refresh_token="r1"), FOUND, token("two"), FOUND)
        world.run(search())
        world.time = 90.0
        world.run(search())
        assert self.used(world) == ["/auth/token", "one", "/auth/refresh", "two"]
        assert b"refresh_token=r1" in world.wires[2].body

    def test_refused_once_are_renewed_once(self):
        world = self.signed_in(token("one"), said(401), token("two"), FOUND)
        assert world.run(search()).items == []
        assert self.used(world) == ["/auth/token", "one", "/auth/token", "two"]

    def test_refused_twice_are_an_error(self):
        world = self.signed_in(token("one"), said(401), token("two"), said(401))
        with pytest.raises(Unauthenticated):
            world.run(search())
        assert world.came == []

    def test_need_no_further_attempt_of_those_allowed(self):
        world = self.signed_in(token("one"), said(401), token("two"), FOUND)
        assert world.run(search(), retries=0).items == []

    @pytest.mark.parametrize("lost", [AWAY, said(503), said(401)])
    def test_a_refresh_token_is_never_used_twice(self, lost):
        """The answer may be lost after the server has rotated it; twice would look stolen."""
        first = token("one", refresh_token="r1")
        world = self.signed_in(first, FOUND, lost, token("two"), FOUND)
        world.run(search())
        world.time = 90.0
        world.run(search())
        assert self.used(world) == ["/auth/token", "one", "/auth/refresh", "/auth/token", "two"]

    def test_bad_credentials_are_told_as_the_server_told_them(self):
        world = self.signed_in(said(401))
        with pytest.raises(Unauthenticated, match="D"):
            world.run(search())
        assert len(world.wires) == 1

    def test_fixed_credentials_are_not_tried_again(self):
        world = World(said(401), credentials=Fixed({"x-api-key": "k"}))
        with pytest.raises(Unauthenticated):
            world.run(search())
        assert len(world.wires) == 1
