"""What users did is known to every worker, and to the one they told at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from structlog.testing import capture_logs

from flyball.domain.traffic import Event, EventType
from flyball.errors import StorageUnavailable
from flyball.serving.overlay import Overlay
from flyball.testing.builders import an_event


class Store:
    """Events in a list, read in pages of two."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False

    def after(self, cursor: int, *, limit: int = 2) -> tuple[Sequence[Event], int]:
        if self.away:
            raise StorageUnavailable("the database is away")
        page = self.events[cursor : cursor + 2]
        return page, cursor + len(page)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def overlay(store: Store) -> Iterator[Overlay]:
    overlay = Overlay(store)
    yield overlay
    overlay.stop()


def test_everything_stored_is_read_page_by_page(overlay, store):
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
