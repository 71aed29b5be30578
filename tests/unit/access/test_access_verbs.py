"""The verbs of access: what they record, what they tell, what they refuse."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.access import keys, passwords
from flyball.access.refresh import begun, rotated
from flyball.access.tokens import LONGEST_LIFETIME, SETTLE
from flyball.access.verbs import Access
from flyball.domain.access import ApiKey, Principal, RefreshFamily, Scope, SigningKey
from flyball.domain.canonical import canonical_json
from flyball.errors import IllegalTransition, InvalidRequest, NotFound, Unauthenticated
from flyball.testing.access import PASSWORD
from flyball.testing.builders import NOON
from flyball.testing.fakes import ManualClock, MemoryRecords

READ = [Scope.READ]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def records():
    return MemoryRecords()


@pytest.fixture
def access(records, clock):
    return Access(records, clock, "operator:ada")


def usable(records, clock, text):
    """As a gate sees it: whether this key gets in now."""
    id, secret = keys.parted(text)
    key = records.get(ApiKey, id)
    return keys.matches(key, secret) and keys.usable(key, clock.now())


class TestAKey:
    def test_gets_in_from_the_moment_it_is_made_to_its_end(self, access, records, clock):
        made = access.create_key("shop", READ, expires=DAY, rate=60)
        assert (made.key.state, made.key.rate, made.key.expires_at) == ("usable", 60, NOON + DAY)
        assert usable(records, clock, made.text)
        clock.advance(days=1)
        assert not usable(records, clock, made.text)
        assert access.keys()[0].state == "expired"

    def test_that_is_rotated_works_on_for_the_grace(self, access, records, clock):
        old = access.create_key("shop", [Scope.READ, Scope.EVENTS], rate=60)
        new = access.rotate_key(old.key.id, grace=HOUR)
        assert (new.key.name, new.key.scopes, new.key.rate) == ("shop", old.key.scopes, 60)
        assert new.key.expires_at is None
        assert new.replaces.id == old.key.id
        assert usable(records, clock, old.text)
        assert usable(records, clock, new.text)
        clock.advance(hours=1)
        assert not usable(records, clock, old.text)
        assert usable(records, clock, new.text)

    def test_that_is_rotated_without_grace_ends_at_once(self, access, records, clock):
        old = access.create_key("shop", READ)
        access.rotate_key(old.text, grace=timedelta(0))
        assert not usable(records, clock, old.text)

    def test_that_is_rotated_is_not_given_more_time_than_it_had(self, access, records, clock):
        old = access.create_key("shop", READ, expires=DAY)
        clock.advance(hours=23, minutes=30)
        new = access.rotate_key(old.key.id, grace=HOUR)
        assert new.replaces.expires_at == NOON + DAY
        assert new.key.expires_at == clock.now() + DAY

    def test_that_was_revoked_is_out_for_good(self, access, records, clock):
        made = access.create_key("shop", READ)
        for _ in range(2):
            assert access.revoke_key(made.key.id, reason="it leaked").state == "revoked"
        assert not usable(records, clock, made.text)
        assert [row.entry.action for row in records.ledger()] == ["create key", "revoke key"]
        with pytest.raises(IllegalTransition, match=r"revoked.*flyball access key create"):
            access.rotate_key(made.key.id)

    def test_that_leaked_can_be_revoked_by_itself_and_no_message_repeats_it(self, access):
        made = access.create_key("shop", READ)
        assert access.revoke_key(made.text).id == made.key.id
        other = keys.minted("shop", READ, now=NOON)[1]
        for wrong in (other, other[:-1], other + "x"):
            with pytest.raises(NotFound) as refused:
                access.revoke_key(wrong)
            assert other[16:40] not in str(refused.value)
            assert other[3:15] in str(refused.value)

    @pytest.mark.parametrize(
        "name", ["", "Shop", "shop front", "-shop", "x" * 64, "shop\n", "größe", "a/b"]
    )
    def test_has_a_name_that_can_be_typed(self, access, name):
        with pytest.raises(InvalidRequest, match="lower-case"):
            access.create_key(name, READ)

    @pytest.mark.parametrize("expires", [timedelta(0), -DAY, timedelta(days=40_000)])
    def test_expires_in_a_time_to_come(self, access, expires):
        with pytest.raises(InvalidRequest, match="until it expires"):
            access.create_key("shop", READ, expires=expires)


class TestAnAccount:
    def test_is_known_by_its_password(self, access, records):
        shown = access.create_account("ada", PASSWORD, READ)
        stored = records.get(Principal, "account:ada")
        assert (shown.state, stored.epoch) == ("active", 1)
        assert passwords.verified(stored.password, PASSWORD)

    def test_has_a_strong_password_and_a_name_of_its_own(self, access, records):
        with pytest.raises(InvalidRequest, match="guess"):
            access.create_account("ada", "password1234", READ)
        assert records.find(Principal) == []
        access.create_account("ada", PASSWORD, READ)
        with pytest.raises(InvalidRequest, match="already; see"):
            access.create_account("ada", PASSWORD, READ)
        assert access.create_client("ada", READ).client.kind == "client"

    def test_with_another_password_is_signed_out_everywhere(self, access, records):
        access.create_account("ada", PASSWORD, READ)
        ada = records.get(Principal, "account:ada")
        token = begun(records, ada, READ, now=NOON, lifetime=DAY)
        access.set_password("ada", PASSWORD + "!")
        changed = records.get(Principal, "account:ada")
        assert changed.epoch == 2  # access tokens of epoch 1 are void
        assert passwords.verified(changed.password, PASSWORD + "!")
        with pytest.raises(Unauthenticated):
            rotated(records, token, now=NOON)

    def test_that_is_disabled_is_out_and_what_it_had_stays_void_when_it_is_back(
        self, access, records
    ):
        access.create_account("ada", PASSWORD, READ)
        token = begun(records, records.get(Principal, "account:ada"), READ, now=NOON, lifetime=DAY)
        for _ in range(2):
            assert access.disable("account", "ada").state == "disabled"
        with pytest.raises(IllegalTransition, match="enable ada"):
            access.set_password("ada", PASSWORD + "!")
        for _ in range(2):
            assert access.enable("account", "ada").state == "active"
        with pytest.raises(Unauthenticated):
            rotated(records, token, now=NOON)
        done = [row.entry.action for row in records.ledger()]
        assert done == ["create account", "disable", "enable"]

    def test_that_is_not_there_is_said_with_the_nearest(self, access):
        access.create_account("ada", PASSWORD, READ)
        with pytest.raises(NotFound, match="no account 'adda'; did you mean 'ada'"):
            access.disable("account", "adda")
        with pytest.raises(NotFound, match="no client 'ada'"):
            access.disable("client", "ada")


class TestAClient:
    def test_is_known_by_its_newest_secret_alone(self, access, records):
        first = access.create_client("backend", READ)
        second = access.rotate_client("backend")
        stored = records.get(Principal, "client:backend")
        assert passwords.verified(stored.password, second.secret)
        assert not passwords.verified(stored.password, first.secret)
        assert stored.epoch == 2


class TestSigningKeys:
    def test_come_with_the_first_who_can_sign_in_and_stay(self, access, records):
        access.create_key("shop", READ)
        assert records.find(SigningKey) == []
        access.create_client("backend", READ)
        access.create_account("ada", PASSWORD, READ)
        assert len(records.find(SigningKey)) == 1

    def test_that_are_rotated_verify_until_their_tokens_have_expired(self, access, clock):
        first = access.rotate_signing_key()
        access.rotate_signing_key()
        old, new = access.list().signing_keys
        assert (old.id, old.state, new.state) == (first.id, "ending", "current")
        assert old.retired_at == NOON + SETTLE + LONGEST_LIFETIME

    def test_that_retired_are_forgotten_by_a_later_rotation(self, access, clock):
        for _ in range(3):
            access.rotate_signing_key()
            clock.advance(days=1)
        assert [key.state for key in access.list().signing_keys] == ["retired", "current"]

    def test_end_at_once_after_a_leak(self, access):
        access.rotate_signing_key()
        access.rotate_signing_key(at_once=True)
        assert [key.state for key in access.list().signing_keys] == ["retired", "current"]


def test_whatever_is_done_is_in_the_ledger_and_no_secret_is_anywhere(access, records):
    """Neither in the ledger, nor in what is listed, nor in how a value prints itself."""
    key = access.create_key("shop", READ)
    new = access.rotate_key(key.key.id)
    client = access.create_client("backend", READ)
    again = access.rotate_client("backend")
    access.create_account("ada", PASSWORD, READ)
    access.set_password("ada", PASSWORD + "!")
    access.rotate_signing_key()
    access.disable("account", "ada", reason="left the team")
    access.revoke_key(new.key.id)
    rows = records.ledger()
    assert [row.entry.action for row in rows] == [
        "create key", "rotate key", "create client", "rotate client", "create account",
        "change password", "rotate signing key", "disable", "revoke key",
    ]  # fmt: skip
    assert {row.entry.actor for row in rows} == {"operator:ada"}
    assert rows[-2].entry.reason == "left the team"
    ada = records.get(Principal, "account:ada")
    begun(records, ada, READ, now=NOON, lifetime=DAY)
    kept = [*records.find(ApiKey), *records.find(Principal), *records.find(SigningKey),
            *records.find(RefreshFamily)]  # fmt: skip
    told = canonical_json(access.list()).decode() + repr([rows, key, new, client, again, kept])
    told += canonical_json([row.entry for row in rows]).decode()
    secrets = [key.text[16:], new.text[16:], client.secret, again.secret, PASSWORD, ada.password]
    secrets += [record.private for record in records.find(SigningKey)]
    assert not [secret for secret in secrets if secret in told]
    assert new.text[16:] in canonical_json(new).decode()  # the answer to who made it has it
