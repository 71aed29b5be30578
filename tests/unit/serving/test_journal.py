"""Group commit: concurrent requests share a flush, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from flyball.domain.traffic import Event
from flyball.errors import InvalidRequest, StorageUnavailable
from flyball.serving import journal as module
from flyball.serving.journal import Journal
from flyball.testing.builders import an_event


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


def test_an_answer_says_which_events_were_new(journal, store):
    sent = [an_event("a"), an_event("b")]
    assert asyncio.run(journal.append(sent)) == [True, True]
    assert asyncio.run(journal.append([an_event("b"), an_event("c")])) == [False, True]


def test_requests_that_wait_are_stored_in_one_call(journal, store):
    got = asyncio.run(
        behind_a_slow_flush(
            journal, store, [an_event("a")], [an_event("b"), an_event("a")], [an_event("c")]
        )
    )
    assert got == [[True], [True, False], [True]]
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
    assert asyncio.run(journal.append([an_event("a")])) == [True]


def test_a_failure_that_nobody_foresaw_is_told_and_does_not_end_the_journal(journal, store):
    store.failure = KeyError("a mistake in the storage")
    with pytest.raises(StorageUnavailable, match="KeyError"):
        asyncio.run(journal.append([an_event("a")]))
    store.failure = None
    assert asyncio.run(journal.append([an_event("a")])) == [True]


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
    assert (good, fine) == ([True], [True])
    assert isinstance(bad, InvalidRequest)
    assert store.ids == {"first", "a", "c"}


def test_more_than_may_wait_is_refused_at_once(journal, store, monkeypatch):
    monkeypatch.setattr(module, "WAITING", 3)
    got = asyncio.run(
        behind_a_slow_flush(journal, store, [an_event("a"), an_event("b")], [an_event("c")], [])
    )
    assert got[0] == [True, True]
    assert isinstance(got[1], StorageUnavailable)
    assert got[2] == []


def test_stopping_stores_what_waits_and_refuses_what_comes_later(journal, store):
    async def scenario() -> list[bool]:
        store.gate.clear()
        sent = asyncio.ensure_future(journal.append([an_event("a")]))
        await asyncio.to_thread(store.entered.wait, 20)
        stopping = asyncio.ensure_future(asyncio.to_thread(journal.stop))
        store.gate.set()
        await stopping
        return await sent

    assert asyncio.run(scenario()) == [True]
    with pytest.raises(StorageUnavailable, match="stopping"):
        asyncio.run(journal.append([an_event("b")]))


def test_events_of_a_request_that_was_given_up_are_stored_all_the_same(journal, store):
    async def scenario() -> None:
        store.gate.clear()
        sent = asyncio.ensure_future(journal.append([an_event("a")]))
        await asyncio.to_thread(store.entered.wait, 20)
        sent.cancel()
        store.gate.set()
        assert await journal.append([an_event("b")]) == [True]

    asyncio.run(scenario())
    assert store.ids == {"a", "b"}
