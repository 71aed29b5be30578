"""Group commit: concurrent requests share a flush, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path

import pytest

from flyball.domain.traffic import Event
from flyball.errors import InvalidRequest, StorageUnavailable
from flyball.serving import journal as module
from flyball.serving.backlog import Backlog
from flyball.serving.journal import Journal, Kept
from flyball.serving.problems import status_of
from flyball.storage.spool import Spool, SpoolFull
from flyball.telemetry.metrics import Metrics
from flyball.testing.builders import an_event
from flyball.testing.fakes import MemoryRecords


class Store:
    """Stores events in memory; ``gate`` holds a call as a slow disk would."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.ids: set[str] = set()
        self.failure: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def append(self, events: Sequence[Event]) -> list[bool]:
        self.entered.set()
        assert self.gate.wait(20)
        if self.failure is not None:
            raise self.failure
        if any("\0" in event.user_id for event in events):
            raise InvalidRequest("a NUL character cannot be stored")
        self.calls.append([event.event_id for event in events])
        new = []
        for event in events:
            new.append(event.event_id not in self.ids)
            self.ids.add(event.event_id)
        return new


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def journal(store: Store) -> Iterator[Journal]:
    journal = Journal(store)
    journal.start()
    yield journal
    store.gate.set()
    journal.stop()


async def behind_a_slow_flush(journal: Journal, store: Store, *requests: list[Event]) -> list:
    """Send requests while an earlier one is being flushed; their outcomes."""
    store.gate.clear()
    first = asyncio.ensure_future(journal.append([an_event("first")]))
    await asyncio.to_thread(store.entered.wait, 20)
    sent = [asyncio.ensure_future(journal.append(events)) for events in requests]
    await asyncio.sleep(0)  # let each of them reach the queue
    store.gate.set()
    await first
    return await asyncio.gather(*sent, return_exceptions=True)


async def told(answer: Awaitable[Kept]) -> Kept | BaseException:
    """The answer, or why there is none."""
    [outcome] = await asyncio.gather(answer, return_exceptions=True)
    return outcome


def test_an_answer_says_which_events_were_new(journal, store):
    sent = [an_event("a"), an_event("b")]
    assert asyncio.run(journal.append(sent)).new == [True, True]
    assert asyncio.run(journal.append([an_event("b"), an_event("c")])).new == [False, True]


def test_requests_that_wait_are_stored_in_one_call(journal, store):
    got = asyncio.run(
        behind_a_slow_flush(
            journal, store, [an_event("a")], [an_event("b"), an_event("a")], [an_event("c")]
        )
    )
    assert [kept.new for kept in got] == [[True], [True, False], [True]]
    assert store.calls == [["first"], ["a", "b", "a", "c"]]


def test_a_call_stores_a_bounded_number_of_events(journal, store, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    requests = [[an_event(name)] for name in "abcde"]
    asyncio.run(behind_a_slow_flush(journal, store, *requests))
    assert max(map(len, store.calls)) == 2
    assert sum(map(len, store.calls)) == 6


def test_nothing_is_acknowledged_when_storing_fails(journal, store):
    store.failure = StorageUnavailable("the disk is full")
    with pytest.raises(StorageUnavailable, match="disk is full"):
        asyncio.run(journal.append([an_event("a")]))
    store.failure = None
    assert asyncio.run(journal.append([an_event("a")])) == Kept([True])


def test_a_failure_that_nobody_foresaw_is_told_and_does_not_end_the_journal(journal, store):
    store.failure = KeyError("a mistake in the storage")
    with pytest.raises(StorageUnavailable, match="KeyError"):
        asyncio.run(journal.append([an_event("a")]))
    store.failure = None
    assert asyncio.run(journal.append([an_event("a")])) == Kept([True])


def test_one_request_that_cannot_be_stored_does_not_spoil_the_others(journal, store):
    good, bad, fine = asyncio.run(
        behind_a_slow_flush(
            journal,
            store,
            [an_event("a")],
            [an_event("b", user_id="\0")],
            [an_event("c")],
        )
    )
    assert (good, fine) == (Kept([True]), Kept([True]))
    assert isinstance(bad, InvalidRequest)
    assert store.ids == {"first", "a", "c"}


def test_more_than_may_wait_is_refused_at_once(journal, store, monkeypatch):
    monkeypatch.setattr(module, "WAITING", 3)
    got = asyncio.run(
        behind_a_slow_flush(journal, store, [an_event("a"), an_event("b")], [an_event("c")], [])
    )
    assert got[0] == Kept([True, True])
    assert isinstance(got[1], StorageUnavailable)
    assert got[2] == Kept([])


def test_stopping_stores_what_waits_and_refuses_what_comes_later(journal, store):
    async def scenario() -> Kept:
        store.gate.clear()
        sent = asyncio.ensure_future(journal.append([an_event("a")]))
        await asyncio.to_thread(store.entered.wait, 20)
        stopping = asyncio.ensure_future(asyncio.to_thread(journal.stop))
        store.gate.set()
        await stopping
        return await sent

    assert asyncio.run(scenario()) == Kept([True])
    with pytest.raises(StorageUnavailable, match="stopping"):
        asyncio.run(journal.append([an_event("b")]))


def test_events_of_a_request_that_was_given_up_are_stored_all_the_same(journal, store):
    async def scenario() -> None:
        store.gate.clear()
        sent = asyncio.ensure_future(journal.append([an_event("a")]))
        await asyncio.to_thread(store.entered.wait, 20)
        sent.cancel()
        store.gate.set()
        assert await journal.append([an_event("b")]) == Kept([True])

    asyncio.run(scenario())
    assert store.ids == {"a", "b"}


class TestWhileTheDatabaseIsAway:
    """Events are acknowledged all the same, once they are on the disk of this machine."""

    @pytest.fixture
    def backlog(self, store: Store, tmp_path: Path) -> Backlog:
        spool = Spool(tmp_path / "spool", limit=4_000)
        return Backlog(spool, store, MemoryRecords(), Metrics(), lambda *_: None)

    @pytest.fixture
    def journal(self, store: Store, backlog: Backlog) -> Iterator[Journal]:
        journal = Journal(store, backlog)
        journal.start()
        yield journal
        store.gate.set()
        journal.stop()
        backlog.stop()

    def test_events_wait_on_disk_and_are_stored_later(self, journal, store, backlog):
        store.failure = StorageUnavailable("the server is away")
        sent = [an_event("a"), an_event("b"), an_event("a")]
        assert asyncio.run(journal.append(sent)) == Kept([True, True, False], waits=True)
        assert backlog.waiting == 3
        store.failure = None
        backlog.work()
        assert store.ids == {"a", "b"}

    def test_the_database_is_not_asked_again_before_it_is_back(self, journal, store, backlog):
        """Nobody has to wait for it again and again."""
        store.failure = StorageUnavailable("the server is away")
        asyncio.run(journal.append([an_event("a")]))
        store.entered.clear()
        assert asyncio.run(journal.append([an_event("b")])).waits
        assert not store.entered.is_set()
        store.failure = None
        backlog.work()
        assert asyncio.run(journal.append([an_event("c")])) == Kept([True])
        assert store.calls == [["a", "b"], ["c"]]

    def test_no_more_are_taken_than_may_wait(self, journal, store, backlog):
        store.failure = StorageUnavailable("the server is away")
        sent = [[an_event(f"{number}")] for number in range(30)]
        got = [asyncio.run(told(journal.append(events))) for events in sent]
        kept = sum(isinstance(outcome, Kept) for outcome in got)
        assert 5 < kept == backlog.waiting < 30
        assert all(isinstance(outcome, SpoolFull) for outcome in got[kept:])
        store.failure = None
        backlog.work()
        assert store.ids == {f"{number}" for number in range(kept)}

    def test_a_disk_that_is_full_too_is_told(self, journal, store, tmp_path):
        (tmp_path / "spool").write_text("in the way")
        store.failure = StorageUnavailable("database or disk is full")
        with pytest.raises(StorageUnavailable) as refused:
            asyncio.run(journal.append([an_event("a")]))
        assert status_of(refused.value) == 507
        store.failure = None
        assert asyncio.run(journal.append([an_event("a")])) == Kept([True])

    def test_a_wrong_event_is_refused_and_the_others_wait(self, journal, store, backlog):
        store.failure = StorageUnavailable("the server is away")
        good, bad = asyncio.run(
            behind_a_slow_flush(journal, store, [an_event("a")], [an_event("half \ud800")])
        )
        assert good == Kept([True], waits=True)
        assert isinstance(bad, InvalidRequest)
        assert backlog.waiting == 2
