"""The database goes away under running workers: events are kept, known, and moved; none is lost."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from toy import MODEL, ToyHome, until

from flyball.domain.data import Forgotten
from flyball.domain.traffic import EventType
from flyball.ports import Change
from flyball.storage.spool_files import listed
from warm_start import Forked, server

OVERLAY = "the stored events are being read"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Running:
    """A worker with a port of its own."""

    def __init__(self, client: httpx.Client, process: Forked) -> None:
        self.client, self.process = client, process

    def send(self, *numbers: int, **fields: str) -> httpx.Response:
        """Purchases of the games with these numbers, by one user."""
        sent = [
            {"event_id": f"e{n}", "type": "purchase", "user_id": "u", "item_id": f"i{n}"} | fields
            for n in numbers
        ]
        return self.client.post("/v1/events", json=sent)

    def knows(self) -> set[str]:
        return set(self.client.get("/v1/users/u").json().get("purchase", []))

    def waiting(self) -> int:
        return self.client.get("/health").json()["spool"]["waiting"]

    def metric(self, line: str) -> float:
        """Its value, over all workers; 0 where it is not there."""
        for said in self.client.get("/metrics").text.splitlines():
            if said.startswith(f"{line} "):
                return float(said.rpartition(" ")[2])
        return 0.0


@pytest.fixture
def home(tmp_path: Path) -> ToyHome:
    return ToyHome(tmp_path / "home")


@contextmanager
def a_worker(home: ToyHome, **settings: str) -> Iterator[Running]:
    options = ("--home", home.home, "--port", "0")
    with (
        server("toy", *options, env=os.environ | settings) as (process, url),
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield Running(client, process)


@contextmanager
def no_events_table(home: ToyHome) -> Iterator[None]:
    """The database is there, and takes no events."""
    _rename(home, "flyball_events", "hidden")
    try:
        yield
    finally:
        _rename(home, "hidden", "flyball_events")


def _rename(home: ToyHome, name: str, to: str) -> None:
    with closing(sqlite3.connect(home.home / "flyball.sqlite", timeout=10)) as database:
        database.execute(f"ALTER TABLE {name} RENAME TO {to}")
        database.commit()


def stored(home: ToyHome) -> list[str]:
    return [event.event_id for event in home.platform.events.after(0)[0]]


def test_events_are_known_to_every_worker_before_the_database_has_them(home):
    with a_worker(home) as one, a_worker(home) as other:
        until(lambda: OVERLAY not in other.client.get("/health").json()["unready"])
        with no_events_table(home):
            assert one.send(1, 2).json()["new"] == [True, True]
            assert one.knows() == {"i1", "i2"}
            until(lambda: other.knows() == {"i1", "i2"})
        until(lambda: not one.waiting())
        assert stored(home) == ["e1", "e2"]
        assert one.knows() == other.knows() == {"i1", "i2"}
    assert listed(home.home / "spool") == []


def test_what_is_sent_twice_is_stored_and_counted_once(home):
    """Also where only the move shows that it is a duplicate."""
    home.serve(home.publish("first"))
    with a_worker(home) as worker:
        until(lambda: worker.client.get("/health/ready").status_code == 200)
        answer = worker.client.get("/v1/answer").json()["recommendation_id"]
        worker.send(1, recommendation_id=answer)
        with no_events_table(home):
            again = worker.send(1, 2, 2, recommendation_id=answer)
            assert again.json()["new"] == [True, True, False]
            worker.send(2, 3, recommendation_id=answer)
            assert worker.metric("flyball_spool_waiting_events") == 5
        until(lambda: not worker.waiting())
        of_toy = 'flyball_events_total{model="toy",result="%s",type="purchase"}'
        assert worker.metric(of_toy % "new") == 3
        assert worker.metric(of_toy % "duplicate") == 3
        assert worker.metric(of_toy % "spooled") == 5
        assert worker.metric('flyball_spool_moved_total{result="new"}') == 2
        assert worker.metric('flyball_spool_moved_total{result="duplicate"}') == 3
        assert worker.metric("flyball_spool_waiting_events") == 0
        worker.process.terminate()
        assert worker.process.wait(20) == 0
    assert stored(home) == ["e1", "e2", "e3"]
    windows = home.platform.events.windows(MODEL, since=LONG_AGO)
    assert sum(window.feedback.get("purchase", 0) for window in windows) == 3


def test_what_a_killed_worker_left_is_moved_by_another_that_runs(home):
    with a_worker(home) as one, a_worker(home) as other:
        with no_events_table(home):
            assert one.send(1, 2).status_code == 200
            one.process.kill()
            one.process.wait()
        until(lambda: stored(home) == ["e1", "e2"])
        until(lambda: other.knows() == {"i1", "i2"})


def test_what_a_stopped_worker_left_is_moved_by_the_next(home):
    with a_worker(home) as worker, no_events_table(home):
        worker.send(1, 2)
        worker.process.terminate()
        assert worker.process.wait(20) == 0
    assert stored(home) == []
    with a_worker(home) as worker:
        until(lambda: stored(home) == ["e1", "e2"])
        until(lambda: worker.knows() == {"i1", "i2"})


def test_somebody_who_was_forgotten_does_not_come_back(home):
    """They are forgotten after the worker died, and before the next one moves what it left."""
    with a_worker(home) as worker, no_events_table(home):
        worker.send(1)
        worker.send(2, user_id="somebody-else")
        worker.process.kill()
        worker.process.wait()
    wish = Forgotten(model=MODEL, pseudonym="u", at=datetime.now(UTC))
    home.records.commit([Change(value=wish)])
    with a_worker(home) as worker:
        until(lambda: not worker.waiting() and stored(home))
        assert stored(home) == ["e2"]
        assert worker.send(3).json()["new"] == [True]
        until(lambda: worker.knows() == {"i3"})
        assert worker.metric('flyball_spool_moved_total{result="forgotten"}') == 1


def test_more_than_may_wait_is_refused_and_nothing_of_it_kept(home):
    with a_worker(home, FLYBALL_SERVER__SPOOL="1500") as worker:
        with no_events_table(home):
            answers = [worker.send(number) for number in range(20)]
            taken = [answer.status_code for answer in answers].count(200)
            assert 2 < taken < 20
            assert {answer.status_code for answer in answers[taken:]} == {503}
            assert answers[-1].headers["retry-after"] == "1"
            assert "server.spool" in answers[-1].json()["detail"]
        until(lambda: not worker.waiting())
        assert stored(home) == [f"e{number}" for number in range(taken)]
        assert home.platform.events.count(MODEL) == {EventType.PURCHASE: taken}
        assert worker.send(99).status_code == 200
