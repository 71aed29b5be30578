"""The gate of a worker: who gets in, and that nobody learns why they did not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flyball.access import gate as gates
from flyball.access.audit import Note
from flyball.access.directory import Directory
from flyball.access.gate import AccessGate
from flyball.access.limiter import Limiter
from flyball.access.verbs import Access
from flyball.domain.access import NOBODY, Scope
from flyball.errors import (
    FlyballError,
    Forbidden,
    NotFound,
    StorageUnavailable,
    TooManyRequests,
    Unauthenticated,
)
from flyball.testing.fakes import ManualClock, MemoryRecords

PASSWORD = "seven green otters sing"
HERE = "192.0.2.7"


class Notes:
    """An audit log in a list."""

    def __init__(self) -> None:
        self.all: list[Note] = []

    def note(self, note: Note) -> None:
        self.all.append(note)


class World:
    """A worker's gate, and an operator who changes who may call."""

    def __init__(self, **rates: int) -> None:
        self.records, self.clock = MemoryRecords(), ManualClock()
        self.access = Access(self.records, self.clock, "operator:test")
        self.directory, self.notes = Directory(), Notes()
        self.counted: list[str] = []
        now = self.seconds
        self.gate = AccessGate(
            self.directory,
            Limiter(now=now),
            audit=self.notes,  # type: ignore[arg-type]  # as much of one as the gate needs
            count=self.counted.append,
            now=now,
            **rates,
        )
        self.follow()

    def seconds(self) -> float:
        return self.clock.now().timestamp()

    def follow(self) -> None:
        self.directory.follow(self.records)

    def key(self, *scopes: Scope, **fields: Any) -> str:
        made = self.access.create_key("shop", scopes or [Scope.READ], **fields)
        self.follow()
        return made.text

    def token(self, *scopes: Scope, name: str = "ada", epoch: int = 1) -> str:
        if f"account:{name}" not in self.directory.snapshot.principals:
            self.access.create_account(name, PASSWORD, [Scope.READ, Scope.EVENTS])
            self.follow()
        return self.directory.snapshot.tokens.issue(
            f"account:{name}",
            scopes or [Scope.READ],
            epoch=epoch,
            now=self.clock.now(),
            lifetime=timedelta(minutes=10),
        )

    def ask(self, scope: Scope | None = Scope.READ, address: str = HERE, **headers: str) -> Any:
        sent = {k.replace("_", "-").encode(): v.encode("latin-1") for k, v in headers.items()}
        return self.gate.admit(sent, address, scope)

    def reason(self, scope: Scope = Scope.READ, **headers: str) -> str:
        """Why a request is refused."""
        with pytest.raises((Unauthenticated, Forbidden, TooManyRequests)) as refused:
            self.ask(scope, **headers)
        return refused.value.reason


@pytest.fixture
def world() -> World:
    return World()


class TestAKey:
    def test_lets_its_caller_in_by_either_header(self, world):
        key = world.key()
        subject = f"key:{key.split('_')[1]}"
        assert world.ask(x_api_key=key).subject == subject
        assert world.ask(authorization=f"Bearer {key}").subject == subject
        assert world.ask(authorization=f"bEARER  {key} ").subject == subject

    def test_of_an_administrator_opens_everything(self, world):
        key = world.key(Scope.ADMIN)
        for scope in Scope:
            assert world.ask(scope, x_api_key=key).may(scope)

    def test_without_the_scope_is_told_which_is_needed(self, world):
        with pytest.raises(Forbidden, match="'events'") as refused:
            world.ask(Scope.EVENTS, x_api_key=world.key())
        assert refused.value.subject.startswith("key:")
        assert "key:" not in str(refused.value)

    def test_is_good_to_its_end_and_not_longer(self, world):
        key = world.key(expires=timedelta(hours=1))
        world.clock.advance(minutes=59)
        world.ask(x_api_key=key)
        world.clock.advance(minutes=1)
        assert world.reason(x_api_key=key) == "expired_key"

    def test_is_refused_once_it_is_revoked(self, world):
        key = world.key()
        world.ask(x_api_key=key)
        world.access.revoke_key(key.split("_")[1])
        world.follow()
        assert world.reason(x_api_key=key) == "revoked_key"

    def test_gets_one_answer_whatever_is_wrong_with_it(self, world):
        good = world.key()
        id, secret = good.split("_", 2)[1:]
        tried = [good[:-1], f"fb_{id}_{'x' * 43}", f"fb_{'0' * 12}_{secret}", "fb_", "", "ÿ"]
        said = set()
        for key in tried:
            with pytest.raises(Unauthenticated) as refused:
                world.ask(authorization=f"Bearer {key}")
            said.add(str(refused.value))
        assert len(said) == 1

    def test_that_was_wrong_once_is_not_remembered_as_right(self, world):
        good = world.key()
        world.ask(x_api_key=good)
        for _ in range(2):
            assert world.reason(x_api_key=good[:-1] + ("A" if good[-1] != "A" else "B")) in (
                "wrong_key"
            )


class TestAToken:
    def test_lets_its_principal_in_with_its_scopes(self, world):
        caller = world.ask(authorization=f"Bearer {world.token(Scope.READ)}")
        assert (caller.subject, caller.scopes) == ("account:ada", {Scope.READ})

    def test_never_allows_more_than_its_principal_may_now(self, world):
        token = world.token(Scope.READ, Scope.EVENTS, Scope.ADMIN)
        caller = world.ask(authorization=f"Bearer {token}")
        assert caller.scopes == {Scope.READ, Scope.EVENTS}
        assert world.reason(Scope.ADMIN, authorization=f"Bearer {token}") == "scope"

    def test_of_an_administrator_that_asks_for_less_allows_that(self, world):
        world.access.create_account("root", PASSWORD, [Scope.ADMIN])
        world.follow()
        token = world.token(Scope.READ, name="root")
        assert world.ask(authorization=f"Bearer {token}").scopes == {Scope.READ}
        assert world.reason(Scope.EVENTS, authorization=f"Bearer {token}") == "scope"

    def test_is_no_api_key(self, world):
        assert world.reason(x_api_key=world.token()) == "bad_token"

    def test_expires_also_when_it_was_seen_before(self, world):
        token = world.token()
        world.ask(authorization=f"Bearer {token}")
        world.clock.advance(minutes=10)
        assert world.reason(authorization=f"Bearer {token}") == "expired_token"
        assert world.reason(authorization=f"Bearer {token}") == "bad_token"

    def test_is_void_when_its_principal_is_disabled_or_changes_the_password(self, world):
        token = world.token()
        world.ask(authorization=f"Bearer {token}")
        world.access.set_password("ada", PASSWORD + "!")
        world.follow()
        assert world.reason(authorization=f"Bearer {token}") == "revoked_token"
        newer = world.token(epoch=2)
        world.ask(authorization=f"Bearer {newer}")
        world.access.disable("account", "ada")
        world.follow()
        assert world.reason(authorization=f"Bearer {newer}") == "disabled"

    def test_of_a_leaked_signing_key_is_void_at_once(self, world):
        token = world.token()
        world.ask(authorization=f"Bearer {token}")
        world.access.rotate_signing_key(at_once=True)
        world.follow()
        assert world.reason(authorization=f"Bearer {token}") == "bad_token"

    def test_of_nobody_who_is_known_is_refused(self, world):
        world.token()
        made = world.directory.snapshot.tokens.issue(
            "account:eve",
            [Scope.ADMIN],
            epoch=1,
            now=world.clock.now(),
            lifetime=timedelta(minutes=1),
        )
        assert world.reason(authorization=f"Bearer {made}") == "unknown_subject"

    def test_memory_of_tokens_has_a_bound(self, world, monkeypatch):
        monkeypatch.setattr(gates, "MOST_TOKENS", 3)
        tokens = [world.token() for _ in range(6)]
        for token in tokens:
            world.ask(authorization=f"Bearer {token}")
        assert list(world.gate._seen) == [token.encode() for token in tokens[-3:]]
        world.ask(authorization=f"Bearer {tokens[0]}")


class TestWithoutCredentials:
    def test_only_what_is_for_anybody_is_answered(self, world):
        assert world.ask(None) is NOBODY
        assert world.ask(None, x_api_key="fb_wrong") is NOBODY
        with pytest.raises(Unauthenticated, match="X-API-Key"):
            world.ask()

    @pytest.mark.parametrize(
        "said", ["Basic YTpi", "Bearer", "", "Digest x", "Bearer " + "x" * 10_000, "\xff"]
    )
    def test_another_scheme_is_refused(self, world, said):
        assert world.reason(authorization=said) in ("no_credentials", "bad_token")

    def test_two_different_ones_are_refused_and_the_same_twice_is_fine(self, world):
        key, other = world.key(), world.key()
        assert world.reason(x_api_key=key, authorization=f"Bearer {other}") == "two_credentials"
        world.ask(x_api_key=key, authorization=f"Bearer {key}")

    def test_nobody_is_let_in_before_the_keys_were_read(self):
        gate = AccessGate(Directory(), Limiter())
        with pytest.raises(StorageUnavailable):
            gate.admit({b"x-api-key": b"fb_x"}, HERE, Scope.READ)


class TestLimits:
    def test_hold_for_each_client_by_itself_and_a_keys_own_rate_comes_first(self):
        world = World(client_rate=3)
        slow, usual = world.key(rate=1), world.key()
        world.ask(x_api_key=slow)
        assert world.reason(x_api_key=slow) == "client_rate"
        for _ in range(3):
            world.ask(x_api_key=usual)
        assert world.reason(x_api_key=usual) == "client_rate"
        world.ask(authorization=f"Bearer {world.token()}")

    def test_tokens_of_one_principal_count_together(self):
        world = World(client_rate=2)
        for _ in range(2):
            world.ask(authorization=f"Bearer {world.token()}")
        assert world.reason(authorization=f"Bearer {world.token()}") == "client_rate"

    def test_guessing_from_one_address_is_slowed_and_a_good_key_is_not(self):
        world = World(failure_rate=3)
        key = world.key()
        reasons = [world.reason(x_api_key=key[:-1]) for _ in range(5)]
        assert reasons == ["unknown_key"] * 3 + ["address_rate"] * 2
        world.ask(x_api_key=key)
        assert world.ask(address="192.0.2.8", x_api_key=key)

    def test_count_what_the_scopes_refuse_too_so_nobody_is_refused_without_end(self):
        world = World(client_rate=3)
        key = world.key()
        reasons = [world.reason(Scope.EVENTS, x_api_key=key) for _ in range(5)]
        assert reasons == ["scope"] * 3 + ["client_rate"] * 2


class TestNotes:
    def test_are_made_and_counted_of_what_has_to_do_with_access(self, world):
        error = Forbidden("no", reason="scope", subject="key:shop")
        world.gate.refused("POST", "/v1/events", HERE, error)
        assert world.counted == ["scope"]
        assert world.notes.all == [
            Note("key:shop", HERE, "POST", "/v1/events", "refused", "scope", 403)
        ]

    @pytest.mark.parametrize("error", [NotFound("no"), TooManyRequests("overload")])
    def test_are_not_made_of_other_errors(self, world, error: FlyballError):
        world.gate.refused("GET", "/v1/games/x", HERE, error)
        assert (world.counted, world.notes.all) == ([], [])

    def test_are_made_of_what_an_administrator_does(self, world):
        caller = world.ask(Scope.ADMIN, x_api_key=world.key(Scope.ADMIN))
        world.gate.administered(caller, "POST", "/admin", HERE, 200)
        assert world.notes.all == [Note(caller.subject, HERE, "POST", "/admin", "admin", "", 200)]
