"""What a worker knows of those who may call, and how soon it learns of a change."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.access import keys
from flyball.access.directory import READ_AGAIN_S, Directory, known
from flyball.access.verbs import Access
from flyball.domain.access import ApiKey, Scope
from flyball.errors import StorageUnavailable
from flyball.ports import Change
from flyball.testing.access import an_api_key
from flyball.testing.builders import NOON
from flyball.testing.fakes import ManualClock, MemoryRecords


class Counted(MemoryRecords):
    """Counts how often whole tables are read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def find(self, kind, **arguments):
        self.reads += 1
        return super().find(kind, **arguments)


class World:
    def __init__(self) -> None:
        self.records, self.clock = Counted(), ManualClock()
        self.access = Access(self.records, self.clock, "operator:test")
        self.at = 0.0
        self.directory = Directory(now=lambda: self.at)

    def follow(self) -> Directory:
        self.directory.follow(self.records)
        return self.directory


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_is_known_before_the_first_look(world):
    assert world.directory.snapshot is None
    assert not world.follow().snapshot.anybody


def test_every_change_shows_at_the_next_look(world):
    made = world.access.create_key("shop", [Scope.READ])
    assert made.key.id in world.follow().snapshot.keys
    world.access.revoke_key(made.key.id)
    assert world.follow().snapshot.keys[made.key.id].ends == float("-inf")
    client = world.access.create_client("batch", [Scope.READ]).client
    before = world.follow().snapshot
    assert before.principals["client:batch"].epoch == 1
    assert len(before.signing) == 1
    world.access.rotate_client(client.name)
    assert world.follow().snapshot.principals["client:batch"].epoch == 2
    world.access.disable("client", "batch")
    assert world.follow().snapshot.principals["client:batch"].disabled_at is not None
    world.access.rotate_signing_key()
    assert len(world.follow().snapshot.signing) == 2


def test_a_look_reads_no_table_while_nothing_changes(world):
    world.access.create_key("shop", [Scope.READ])
    first = world.follow().snapshot
    reads = world.records.reads
    for _ in range(10):
        world.at += READ_AGAIN_S / 20
        world.follow()
    assert world.records.reads == reads
    assert world.directory.snapshot is first


def test_what_was_changed_without_a_row_in_the_ledger_shows_after_a_while(world):
    world.follow()
    world.records.commit([Change(value=an_api_key())])
    assert not world.follow().snapshot.anybody
    world.at += READ_AGAIN_S
    assert world.follow().snapshot.anybody


def test_what_was_known_stays_while_the_database_is_away(world):
    made = world.access.create_key("shop", [Scope.READ])
    world.follow()
    world.records.broken = True
    with pytest.raises(StorageUnavailable):
        world.follow()
    assert made.key.id in world.directory.snapshot.keys
    world.records.broken = False
    world.access.revoke_key(made.key.id)
    assert world.follow().snapshot.keys[made.key.id].ends == float("-inf")


def test_tokens_are_made_anew_only_when_the_signing_keys_change(world):
    world.access.create_client("batch", [Scope.READ])
    before = world.follow().snapshot.tokens
    world.access.create_key("shop", [Scope.READ])
    assert world.follow().snapshot.tokens is before
    world.access.rotate_signing_key()
    assert world.follow().snapshot.tokens is not before


@pytest.mark.parametrize("expires", [None, NOON, NOON + timedelta(seconds=1)])
@pytest.mark.parametrize("revoked", [None, NOON, NOON + timedelta(hours=1)])
@pytest.mark.parametrize("seconds", [-1, 0, 0.5, 1, 4000])
def test_a_key_ends_when_its_record_says(expires, revoked, seconds):
    record: ApiKey = an_api_key(expires_at=expires, revoked_at=revoked)
    now = NOON + timedelta(seconds=seconds)
    assert (now.timestamp() < known(record).ends) == keys.usable(record, now)
