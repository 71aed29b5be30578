"""What users did is known to every worker, and to the one they told at once."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from flyball.domain.data import Forgotten
from flyball.domain.ledger import Entry
from flyball.domain.traffic import Event, EventType
from flyball.errors import StorageUnavailable
from flyball.ports import Change
from flyball.serving import overlay as module
from flyball.serving.overlay import Overlay
from flyball.testing.builders import NOON, an_entry, an_event
from flyball.testing.fakes import MemoryRecords


class Store:
    """Events in a list."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False

    def after(
        self, cursor: int, *, limit: int, types: Collection[str]
    ) -> tuple[Sequence[Event], int]:
        if self.away:
            raise StorageUnavailable("the database is away")
        later = list(enumerate(self.events, 1))[cursor:]
        page = [(place, event) for place, event in later if event.type in types][:limit]
        end = page[-1][0] if len(page) == limit else len(self.events)
        return [event for _, event in page], end


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


@pytest.fixture
def overlay(store: Store, records: MemoryRecords) -> Iterator[Overlay]:
    overlay = Overlay(store, records)
    yield overlay
    overlay.stop()


def test_everything_stored_is_read_page_by_page(overlay, store, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    store.events = [an_event(str(n), item_id=f"game-{n}") for n in range(5)]
    overlay.read()
    assert overlay.of("games", "player-1") == {"purchase": {f"game-{n}" for n in range(5)}}


def test_what_is_new_is_added(overlay, store):
    store.events = [an_event("1", item_id="a")]
    overlay.read()
    before = overlay.of("games", "player-1")
    store.events += [an_event("2", item_id="b", type=EventType.DISLIKE)]
    overlay.read()
    assert overlay.of("games", "player-1") == {"purchase": {"a"}, "dislike": {"b"}}
    assert before == {"purchase": {"a"}}, "a reader keeps what it has"


def test_only_purchases_plays_and_dislikes_are_kept(overlay, store):
    store.events = [an_event(kind, type=kind, item_id=kind) for kind in EventType]
    overlay.read()
    assert set(overlay.of("games", "player-1")) == {"purchase", "play", "dislike"}


def test_users_and_models_are_kept_apart(overlay, store):
    store.events = [
        an_event("1", item_id="a"),
        an_event("2", item_id="b", user_id="player-2"),
        an_event("3", item_id="c", model="adult"),
    ]
    overlay.read()
    assert overlay.of("games", "player-1") == {"purchase": {"a"}}
    assert overlay.of("games", "player-2") == {"purchase": {"b"}}
    assert overlay.of("games", "nobody") == {}


def test_own_events_are_applied_at_once_and_again_without_harm(overlay, store):
    event = an_event("1", item_id="a")
    overlay.apply([event])
    assert overlay.of("games", "player-1") == {"purchase": {"a"}}
    store.events = [event]
    overlay.read()
    assert overlay.of("games", "player-1") == {"purchase": {"a"}}


def test_it_has_caught_up_only_after_a_whole_reading(overlay, store):
    store.away = True
    with capture_logs() as lines:
        overlay.read()
        overlay.read()
    assert not overlay.caught_up
    assert len(lines) == 1
    store.away = False
    store.events = [an_event("1", item_id="a")]
    overlay.read()
    assert overlay.caught_up
    assert overlay.of("games", "player-1") == {"purchase": {"a"}}


def erased(user: str, model: str = "games") -> Entry:
    """What the ledger says once a person's rows and events are gone."""
    return an_entry(action="erase", subject=f"{model}/{user}", model=model)


class TestSomebodyWhoWasForgotten:
    """Their events are gone from the store; no worker may go on knowing them."""

    def test_is_let_go_of_by_a_worker_that_runs_already(self, overlay, store, records):
        store.events = [an_event("1", item_id="a"), an_event("2", item_id="b", user_id="player-2")]
        overlay.read()
        records.commit([], [an_entry(), erased("player-1"), an_entry()])
        overlay.read()
        assert overlay.of("games", "player-1") == {}
        assert overlay.of("games", "player-2") == {"purchase": {"b"}}

    def test_is_forgotten_in_one_model_only(self, overlay, store, records):
        store.events = [an_event("1", item_id="a"), an_event("2", item_id="c", model="adult")]
        overlay.read()
        records.commit([], [erased("player-1", "adult")])
        overlay.read()
        assert overlay.of("games", "player-1") == {"purchase": {"a"}}
        assert overlay.of("adult", "player-1") == {}

    def test_is_told_of_what_they_do_afterwards(self, overlay, store, records):
        store.events = [an_event("1", item_id="a")]
        overlay.read()
        records.commit([], [erased("player-1")])
        overlay.read()
        store.events += [an_event("2", item_id="b")]
        overlay.read()
        assert overlay.of("games", "player-1") == {"purchase": {"b"}}

    def test_is_no_matter_to_a_worker_that_begins_later(self, overlay, store, records):
        """What they did since is in the store, and is theirs again."""
        records.commit([], [erased("player-1")])
        store.events = [an_event("1", item_id="a")]
        overlay.read()
        assert overlay.of("games", "player-1") == {"purchase": {"a"}}

    def test_is_not_missed_while_the_ledger_could_not_be_read(self, overlay, store, records):
        store.events = [an_event(str(n), user_id=f"player-{n}") for n in range(20)]
        overlay.read()
        records.commit([], [erased(f"player-{n}") for n in range(20)])
        records.broken = True
        overlay.read()
        records.broken = False
        overlay.read()
        assert [overlay.of("games", f"player-{n}") for n in range(20)] == [{}] * 20

    def test_is_not_missed_when_the_ledger_grows_meanwhile(self, store):
        class Growing(MemoryRecords):
            """Somebody appends a row between any two looks."""

            def ledger(self, *, model=None, limit=None):
                found = super().ledger(model=model, limit=limit)
                if limit == 1:
                    super().commit([], [an_entry()])
                return found

        records = Growing()
        overlay = Overlay(store, records)
        store.events = [an_event("1", item_id="a")]
        overlay.read()
        records.commit([], [erased("player-1")])
        overlay.read()
        assert overlay.of("games", "player-1") == {}


class Disk:
    """Pages of events that other workers keep while the database is away."""

    def __init__(self) -> None:
        self.pages: list[list[Event]] = []
        self.failing = False

    def new(self) -> list[Event]:
        if self.failing:
            raise StorageUnavailable("the folder cannot be read")
        return self.pages.pop(0) if self.pages else []


class TestWhatOtherWorkersKeepOnDisk:
    """It is known here before the database has it."""

    @pytest.fixture
    def disk(self) -> Disk:
        return Disk()

    @pytest.fixture
    def overlay(self, store: Store, records: MemoryRecords, disk: Disk) -> Overlay:
        return Overlay(store, records, disk)

    def test_is_taken_in_page_by_page(self, overlay, store, disk):
        overlay.read()
        store.away = True
        disk.pages = [[an_event("1", item_id="a")], [an_event("2", item_id="b")]]
        overlay.read_spool()
        assert overlay.of("games", "player-1") == {"purchase": {"a", "b"}}

    def test_is_not_taken_in_before_it_is_known_who_was_forgotten(self, overlay, store, disk):
        store.away = True
        disk.pages = [[an_event("1", item_id="a")]]
        with capture_logs():
            overlay.read()
        overlay.read_spool()
        assert overlay.of("games", "player-1") == {}
        store.away = False
        overlay.read()
        overlay.read_spool()
        assert overlay.of("games", "player-1") == {"purchase": {"a"}}

    @pytest.mark.parametrize("when", ["before this worker began", "since"])
    def test_of_somebody_who_was_forgotten_later_is_not(self, overlay, records, disk, when):
        wish = Forgotten(model="games", pseudonym="player-1", at=NOON)
        if when == "since":
            overlay.read()
        records.commit([Change(value=wish)], [erased("player-1")])
        overlay.read()
        disk.pages = [
            [
                an_event("1", item_id="a", received_at=NOON),
                an_event("2", item_id="b", received_at=NOON + timedelta(microseconds=1)),
                an_event("3", item_id="c", user_id="player-2"),
            ]
        ]
        overlay.read_spool()
        assert overlay.of("games", "player-1") == {"purchase": {"b"}}
        assert overlay.of("games", "player-2") == {"purchase": {"c"}}

    def test_that_cannot_be_read_is_tried_again_and_told_of_once(self, overlay, disk):
        overlay.read()
        disk.failing = True
        with capture_logs() as lines:
            overlay.read_spool()
            overlay.read_spool()
        assert len(lines) == 1
        disk.failing, disk.pages = False, [[an_event("1", item_id="a")]]
        overlay.read_spool()
        assert overlay.of("games", "player-1") == {"purchase": {"a"}}

    def test_is_followed_by_a_running_worker(self, overlay, disk):
        overlay.start()
        disk.pages = [[an_event("1", item_id="a")]]
        patience = threading.Event()
        for _ in range(400):
            if overlay.of("games", "player-1") or patience.wait(0.05):
                break
        overlay.stop()
        assert overlay.of("games", "player-1") == {"purchase": {"a"}}
