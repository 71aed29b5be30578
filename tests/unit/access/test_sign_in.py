"""Signing in: who gets which token, and that guessing tells nothing, not even by its time."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from flyball.access import sign_in as signing
from flyball.access.directory import Directory
from flyball.access.sign_in import Granted, InvalidClient, OAuthError, SignIn
from flyball.access.tokens import new_signing_key
from flyball.domain.access import RefreshFamily, Scope
from flyball.errors import StorageUnavailable, TooManyRequests
from flyball.ports import Change
from flyball.testing.access import a_principal
from flyball.testing.builders import an_entry
from flyball.testing.fakes import ManualClock, MemoryRecords

PASSWORD = "seven green otters sing"
SECRET = "fc_of-the-shop"
T = TypeVar("T")


class Checker:
    """Checks passwords by comparing, and notes what it was asked to check."""

    def __init__(self) -> None:
        self.asked: list[tuple[bool, str]] = []
        self.hashes: dict[str, str] = {}
        self.hold = threading.Event()
        self.hold.set()

    def __call__(self, stored: str | None, text: str) -> bool:
        self.asked.append((stored is not None, text))
        assert self.hold.wait(20)
        return stored is not None and self.hashes.get(stored) == text


class World:
    def __init__(self) -> None:
        self.records, self.clock = MemoryRecords(), ManualClock()
        self.directory, self.checker = Directory(), Checker()
        self.records.commit([Change(value=new_signing_key(self.clock.now()))])
        self.add("account", "ada", PASSWORD, Scope.READ, Scope.EVENTS)
        self.add("client", "shop", SECRET, Scope.READ)

    def add(self, kind: str, name: str, password: str, *scopes: Scope, **fields: Any) -> None:
        """Somebody whose password hash is a made-up one that the checker knows."""
        stored = f"hash of {kind} {name}"
        self.checker.hashes[stored] = password
        new = a_principal(kind=kind, name=name, password=stored, scopes=scopes, **fields)
        told = an_entry(subject=new.id)
        self.records.commit([Change(value=new)], [told])
        self.directory.follow(self.records)

    def do(self, work: Callable[[SignIn], Awaitable[T]]) -> T:
        async def done() -> T:
            service = SignIn(
                self.directory,
                self.records,
                self.clock,
                token_lifetime=timedelta(minutes=10),
                refresh_lifetime=timedelta(days=14),
                verified=self.checker,
            )
            try:
                return await work(service)
            finally:
                service.close()

        return asyncio.run(done())

    def account(self, name: str = "ada", password: str = PASSWORD, asked: str = "") -> Granted:
        return self.do(lambda service: service.as_account(name, password, asked))

    def client(self, name: str = "shop", secret: str = SECRET, asked: str = "") -> Granted:
        return self.do(lambda service: service.as_client(name, secret, asked))

    def refresh(self, token: str, asked: str = "") -> Granted:
        return self.do(lambda service: service.refreshed(token, asked))

    def scopes(self, granted: Granted) -> set[Scope]:
        """What the access token allows."""
        found = self.directory.snapshot.tokens.verified(granted.access_token, self.clock.now())
        assert found.subject == granted.subject
        return set(found.scopes)


@pytest.fixture
def world() -> World:
    return World()


class TestAnAccount:
    def test_gets_a_token_for_all_it_may_and_one_to_refresh_it(self, world):
        granted = world.account()
        assert world.scopes(granted) == {Scope.READ, Scope.EVENTS}
        assert granted.refresh_token.startswith("fr_")
        assert granted.lifetime == timedelta(minutes=10)

    def test_gets_no_more_than_it_asks_for(self, world):
        granted = world.account(asked="read")
        assert world.scopes(granted) == {Scope.READ}
        assert world.scopes(world.refresh(granted.refresh_token)) == {Scope.READ}

    @pytest.mark.parametrize("asked", ["admin", "read admin", "READ", "all"])
    def test_gets_nothing_when_it_asks_for_what_it_may_not(self, world, asked):
        with pytest.raises(OAuthError, match="read events") as refused:
            world.account(asked=asked)
        assert (refused.value.code, refused.value.status) == ("invalid_scope", 400)

    def test_of_an_administrator_may_ask_for_any_scope(self, world):
        world.add("account", "root", PASSWORD, Scope.ADMIN)
        assert world.scopes(world.account("root", asked="events")) == {Scope.EVENTS}
        assert world.scopes(world.account("root")) == {Scope.ADMIN}

    def test_gets_no_token_to_refresh_while_the_database_is_away(self, world):
        world.records.broken = True
        granted = world.account()
        assert granted.refresh_token == ""
        assert world.scopes(granted) == {Scope.READ, Scope.EVENTS}


class TestAClient:
    def test_gets_a_token_and_none_to_refresh_it(self, world):
        granted = world.client()
        assert (world.scopes(granted), granted.refresh_token) == ({Scope.READ}, "")

    def test_is_no_account(self, world):
        with pytest.raises(OAuthError):
            world.account("shop", SECRET)
        with pytest.raises(InvalidClient) as refused:
            world.client("ada", PASSWORD)
        assert refused.value.status == 401


class TestGuessing:
    """Unknown, wrong and disabled look alike, and cost the same."""

    def test_each_attempt_checks_exactly_one_hash(self, world):
        world.add("account", "bob", PASSWORD, Scope.READ, disabled_at=world.clock.now())
        said = set()
        for name, password in (("nobody", PASSWORD), ("ada", "wrong"), ("bob", PASSWORD)):
            with pytest.raises(OAuthError) as refused:
                world.account(name, password)
            said.add((refused.value.code, str(refused.value)))
        assert len(said) == 1
        assert world.checker.asked == [(False, PASSWORD), (True, "wrong"), (True, PASSWORD)]

    def test_no_account_is_looked_for_in_the_database(self, world):
        """A search for a name that is not there could take another time than one that is."""
        world.records.broken = True
        with pytest.raises(OAuthError, match="unknown or disabled"):
            world.account("nobody")


class TestARefreshToken:
    def test_is_good_once_and_the_next_goes_on(self, world):
        first = world.account()
        second = world.refresh(first.refresh_token)
        assert world.scopes(second) == {Scope.READ, Scope.EVENTS}
        world.clock.advance(minutes=1)
        with pytest.raises(OAuthError) as refused:
            world.refresh(first.refresh_token)
        assert refused.value.code == "invalid_grant"
        with pytest.raises(OAuthError):
            world.refresh(second.refresh_token)

    def test_gives_less_but_never_more_than_was_granted(self, world):
        granted = world.account()
        less = world.refresh(granted.refresh_token, asked="events")
        assert world.scopes(less) == {Scope.EVENTS}
        with pytest.raises(OAuthError, match="admin"):
            world.refresh(less.refresh_token, asked="admin")

    def test_is_of_no_use_after_signing_out(self, world):
        granted = world.account()
        family = world.do(lambda service: service.revoked(granted.refresh_token))
        assert family.subject == "account:ada"
        with pytest.raises(OAuthError):
            world.refresh(granted.refresh_token)
        assert world.do(lambda service: service.revoked("fr_nothing")) is None

    def test_waits_for_the_database(self, world):
        granted = world.account()
        world.records.broken = True
        with pytest.raises(StorageUnavailable):
            world.refresh(granted.refresh_token)
        world.records.broken = False
        world.refresh(granted.refresh_token)
        assert len(world.records.find(RefreshFamily)) == 1


def test_more_at_once_than_there_are_turns_wait_and_then_are_told_to_come_back(world, monkeypatch):
    monkeypatch.setattr(signing, "WAIT_S", 0.05)
    world.checker.hold.clear()

    async def all_at_once(service: SignIn) -> list[Any]:
        tasks = [
            asyncio.create_task(service.as_account("ada", PASSWORD, ""))
            for _ in range(signing.AT_ONCE + 2)
        ]
        done, _ = await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_EXCEPTION)
        assert done
        world.checker.hold.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = world.do(all_at_once)
    assert sum(isinstance(result, Granted) for result in results) == signing.AT_ONCE
    assert sum(isinstance(result, TooManyRequests) for result in results) == 2


@pytest.mark.skipif(not hasattr(os, "setpriority"), reason="this system has no priorities")
def test_hashing_leaves_the_cores_to_what_is_served(world):
    priorities: list[int] = []

    def checked(stored: str | None, text: str) -> bool:
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return False

    world.checker = checked  # type: ignore[assignment]
    with pytest.raises(OAuthError):
        world.account()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert priorities[0] > own or own >= 10, "these tests themselves may run behind all others"


def test_nothing_is_given_before_the_accounts_were_read(world):
    world.directory = Directory()
    with pytest.raises(StorageUnavailable):
        world.account()
