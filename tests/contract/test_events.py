"""Live traffic keeps its promises on every database, under many processes too."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from flyball.domain.traffic import Event
from flyball.errors import InvalidRequest, StorageUnavailable
from flyball.ports import Events
from flyball.storage import traffic
from flyball.storage.database import open_database, writing
from flyball.storage.event_times import EventTimes
from flyball.storage.tables import EVENTS
from flyball.storage.traffic import SqlEvents
from flyball.testing.builders import NOON, an_event
from flyball.testing.events import EventsContract, numbered

FORK = multiprocessing.get_context("fork")


class TestSqlEvents(EventsContract):
    """On SQLite and PostgreSQL."""

    @pytest.fixture
    def events(self, engine: Engine) -> Events:
        return SqlEvents(engine)

    def test_of_many_processes_are_new_to_exactly_one(self, database_url: str) -> None:
        open_database(database_url).dispose()
        with FORK.Pool(3) as pool:
            answers = pool.map(_append_some, [database_url] * 6, chunksize=1)
        assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 30

    def test_of_old_days_are_not_read_for_the_newest(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A mark every five minutes: what is read before it is bounded by that."""
        clock = [NOON.timestamp()]
        events = SqlEvents(engine)
        monkeypatch.setattr(events, "_times", EventTimes(lambda: clock[0]))
        for number in range(200):  # one every two minutes
            received = NOON + timedelta(minutes=2 * number)
            clock[0] = received.timestamp()
            events.append([an_event(f"{number}", received_at=received)])
        for number in range(20, 200):
            cursor = events.before(NOON + timedelta(minutes=2 * number))
            first = int(events.after(cursor, limit=1)[0][0].event_id)
            assert number - 10 <= first <= number  # clocks that differ by 5 minutes, and a mark's

    def test_are_found_where_a_clock_was_set_back(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = [NOON.timestamp()]
        events = SqlEvents(engine)
        monkeypatch.setattr(events, "_times", EventTimes(lambda: clock[0]))
        steps = [10 * n for n in range(20)] + [10 * n - 100 for n in range(20)]
        for number, minutes in enumerate(steps):
            received = NOON + timedelta(minutes=minutes)
            clock[0] = received.timestamp()
            events.append([an_event(f"{number}", received_at=received)])
        for minutes in range(-100, 200, 5):
            since = NOON + timedelta(minutes=minutes)
            found = events.after(events.before(since))[0]
            wanted = [event for event in events.after(0)[0] if event.received_at >= since]
            assert [event for event in found if event.received_at >= since] == wanted

    def test_are_never_overtaken_by_later_numbers(self, engine: Engine, events: Events) -> None:
        """While one writer has not committed, nobody can show a row with a higher number."""
        if engine.dialect.name == "sqlite":
            pytest.skip("SQLite has one writer at a time; there is nothing to hold back")
        with ThreadPoolExecutor(2) as pool, engine.connect() as blocker:
            blocker.execute(sa.insert(EVENTS), _row(an_event("held")))
            slow = pool.submit(events.append, [an_event("first"), an_event("held")])
            _until(lambda: _waiting(engine) == 1)  # has its numbers, waits for who holds "held"
            quick = pool.submit(events.append, [an_event("second")])
            _until(lambda: _waiting(engine) == 2 or quick.done())
            assert events.after(0) == ([], 0)
            blocker.rollback()
            assert (slow.result(10), quick.result(10)) == ([True, True], [True])
        stored = [event.event_id for event in events.after(0)[0]]
        assert stored == ["first", "held", "second"]

    def test_that_must_wait_too_long_for_others_are_refused(
        self, engine: Engine, events: Events, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Soon enough for their sender to be told; and what others wait for is not shortened."""
        monkeypatch.setattr(traffic, "APPEND_WAIT_S", 0.2)
        with ThreadPoolExecutor(1) as pool:
            with writing(engine) as blocker:
                blocker.execute(sa.insert(EVENTS), _row(an_event("held")))
                patient = pool.submit(_write_something, engine)
                started = time.monotonic()
                with pytest.raises(StorageUnavailable):
                    events.append([an_event("late"), an_event("held")])
                assert time.monotonic() - started < 5
                _until(lambda: patient.running() or patient.done())
            patient.result(20)
        assert events.append([an_event("late")]) == [True]

    def test_are_on_disk_when_acknowledged(self, engine: Engine) -> None:
        """The database is told to flush at each commit, whatever its default."""
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            else:
                assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"

    @pytest.mark.parametrize("id", ["nul \x00", "x" * 129], ids=["nul", "too long"])
    def test_with_an_id_that_only_sqlite_keeps_are_refused_elsewhere(
        self, engine: Engine, events: Events, id: str
    ) -> None:
        if engine.dialect.name == "sqlite":
            assert events.append([an_event(id)]) == [True]
            assert events.after(0)[0] == [an_event(id)]
            return
        with pytest.raises(InvalidRequest, match="cannot keep such a value"):
            events.append([an_event("fine"), an_event(id)])
        assert events.count() == {}

    def test_acknowledged_survive_a_killed_process(self, database_url: str) -> None:
        child = FORK.Process(target=_append_and_die, args=(database_url,))
        child.start()
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
        engine = open_database(database_url)
        assert SqlEvents(engine).after(0)[0] == numbered(3)
        engine.dispose()

    def test_of_a_forgotten_user_leave_no_byte_in_the_file(self, database_url: str) -> None:
        """Not in the pages that SQLite keeps for later use, nor in its log."""
        if not database_url.startswith("sqlite"):
            pytest.skip("PostgreSQL's files are its own: VACUUM is what empties them")
        engine = open_database(database_url)
        events = SqlEvents(engine)
        events.append([an_event(f"{n}", user_id=f"someone-{n % 2}") for n in range(200)])
        assert events.forget("games", "someone-1") == 100
        engine.dispose()
        files = Path(database_url.removeprefix("sqlite:///")).parent.iterdir()
        stored = b"".join(file.read_bytes() for file in files)
        assert b"someone-0" in stored
        assert b"someone-1" not in stored

    def test_with_an_id_that_is_no_text_are_refused_and_store_nothing(
        self, engine: Engine, events: Events
    ) -> None:
        with pytest.raises(InvalidRequest):
            events.append([an_event("fine"), an_event("half \ud800")])
        with engine.connect() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(EVENTS)) == 0


def _write_something(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(sa.insert(EVENTS), _row(an_event("patient")))


def _waiting(engine: Engine) -> int:
    """How many of the server's sessions wait for a lock in this database."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with engine.connect() as connection:
        return connection.execute(sa.text(f"{query} AND wait_event_type = 'Lock'")).scalar_one()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass within 10 s"


def _append_and_die(url: str) -> None:
    """Killed at the instant after the acknowledgement, and again within a transaction."""
    engine = open_database(url)
    SqlEvents(engine).append(numbered(3))
    with writing(engine) as connection:
        connection.execute(sa.insert(EVENTS), _row(an_event("never acknowledged")))
        os.kill(os.getpid(), signal.SIGKILL)


def _row(event: Event) -> dict[str, str]:
    return {"event_id": event.event_id, "model": event.model, "type": "click", "body": "{}"}


def _append_some(url: str) -> list[bool]:
    engine = open_database(url)
    new = SqlEvents(engine).append(numbered(30))
    engine.dispose()
    return new
