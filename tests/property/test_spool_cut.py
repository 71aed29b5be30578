"""A spool that a crash cut anywhere still holds every event that was acknowledged before."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flyball.domain.traffic import Event
from flyball.storage import spool as module
from flyball.storage import spool_files as files
from flyball.storage import spool_lines as lines
from flyball.storage.spool import Spool
from flyball.testing.builders import an_event

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
EVENTS = st.lists(
    st.builds(
        an_event,
        TEXT,
        user_id=TEXT,
        item_id=TEXT,
        value=st.none() | st.floats(0, allow_infinity=False, allow_nan=False),
    ),
    max_size=6,
)


@given(EVENTS, st.data())
def test_cut_at_any_byte_it_gives_the_events_before_the_cut(events, data):
    whole = lines.written(events)
    cut = data.draw(st.integers(0, len(whole)), label="cut")
    found = list(lines.read(whole[:cut]))
    assert found == events[: len(found)]
    assert len(found) == whole[:cut].count(b"\n")


@given(EVENTS.filter(bool), st.data())
def test_a_changed_byte_costs_at_most_the_lines_it_touches(events, data):
    """And never gives an event that nobody sent."""
    whole = bytearray(lines.written(events))
    place = data.draw(st.integers(0, len(whole) - 1), label="place")
    whole[place] ^= data.draw(st.integers(1, 255), label="change")
    found = [event for event in lines.read(bytes(whole)) if event is not None]
    assert all(event in events for event in found)
    assert len(found) >= len(events) - 2


class Crashing(RuleBasedStateMachine):
    """Processes that keep, move and die; ``waiting`` is what must be given, in this order."""

    def __init__(self) -> None:
        super().__init__()
        self._place = tempfile.TemporaryDirectory()
        self.folder = Path(self._place.name) / "spool"
        self.number = 0
        self.waiting: list[Event] = []
        self.moved: set[str] = set()
        self.spool = Spool(self.folder)

    @rule(count=st.integers(1, 5))
    def keep(self, count: int) -> None:
        sent = [an_event(f"{self.number + n}") for n in range(count)]
        self.number += count
        self.spool.append(sent)
        self.waiting += sent

    @rule(acknowledged=st.booleans())
    def move(self, acknowledged: bool) -> None:
        """Into the database; the process may die before it lets go of them."""
        events = self.spool.first()
        assert events == self.waiting[: len(events)]
        self.moved.update(event.event_id for event in events)
        if acknowledged:
            self.spool.drop()
            self.waiting = self.waiting[len(events) :]

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def die_while_writing(self, data: st.DataObject) -> None:
        torn = lines.written([an_event("unacknowledged")])
        cut = data.draw(st.integers(0, len(torn) - 1))
        self.spool.close()
        if found := files.listed(self.folder):
            with found[-1].open("ab") as file:
                file.write(torn[:cut])
        self.spool = Spool(self.folder)
        self.spool.adopt()
        self.waiting = self.on_disk()  # what was moved of a file is moved again with its rest

    def on_disk(self) -> list[Event]:
        files_read = [list(lines.read(path.read_bytes())) for path in files.listed(self.folder)]
        return [event for found in files_read for event in found if event is not None]

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        assert self.spool.waiting == len(self.waiting)
        kept = {event.event_id for event in self.on_disk()}
        assert {event.event_id for event in self.waiting} <= kept
        assert {f"{n}" for n in range(self.number)} <= kept | self.moved

    def teardown(self) -> None:
        while self.spool.first():
            self.move(True)
        assert self.waiting == []
        assert files.listed(self.folder) == []
        self.spool.close()
        self._place.cleanup()


class TestCrashing(Crashing.TestCase):
    settings = settings(max_examples=15, stateful_step_count=25, deadline=None)

    def setUp(self) -> None:
        self._kept = module.FILE_BYTES, module.PART_BYTES
        module.FILE_BYTES, module.PART_BYTES = 1_500, 700

    def tearDown(self) -> None:
        module.FILE_BYTES, module.PART_BYTES = self._kept
