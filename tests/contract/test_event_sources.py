"""Feedback becomes the next batch: the product's own events are a source like any other."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from sqlalchemy.engine import Engine

from flyball.domain.traffic import EventType
from flyball.errors import ConfigurationError, DataQualityError
from flyball.storage.fetching import Fetched, Fetcher
from flyball.storage.traffic import SqlEvents
from flyball.testing import builders as a


@pytest.fixture
def events(engine: Engine) -> SqlEvents:
    return SqlEvents(engine)


class TestStoredEvents:
    def test_are_a_file_of_pseudonymous_rows(self, events: SqlEvents, tmp_path: Path) -> None:
        events.append(
            [
                a.an_event("1", user_id="p1", item_id="portal", type=EventType.PLAY, value=2.5),
                a.an_event("2", model="adult"),
                a.an_event("3", user_id="p2", item_id="dota-2", type=EventType.CLICK, value=None),
            ]
        )
        location = f"events:games:0:{events.last()}"
        (file,) = Fetcher(events=events).fetch(location, tmp_path)
        assert file == Fetched(path=file.path, name=location, pseudonymous=True)
        frame = pl.read_ipc(file.path)
        assert frame.columns == ["event_id", "user_id", "game_id", "event", "value", "timestamp"]
        when = a.an_event("1").timestamp
        assert frame.rows() == [
            ("1", "p1", "portal", "play", 2.5, when),
            ("3", "p2", "dota-2", "click", None, when),
        ]

    def test_come_each_once_over_consecutive_stretches(
        self, events: SqlEvents, tmp_path: Path
    ) -> None:
        events.append([a.an_event(f"{n}") for n in range(3)])
        first = events.last()
        events.append([a.an_event(f"{n}") for n in range(3, 5)])
        seen = []
        for after, until in ((0, first), (first, events.last())):
            (file,) = Fetcher(events=events).fetch(f"events:games:{after}:{until}", tmp_path)
            seen += pl.read_ipc(file.path)["event_id"].to_list()
        assert seen == ["0", "1", "2", "3", "4"]

    def test_that_are_none_are_refused(self, events: SqlEvents, tmp_path: Path) -> None:
        events.append([a.an_event("1", model="adult")])
        with pytest.raises(DataQualityError, match="model games has no event after 0 up to 9"):
            Fetcher(events=events).fetch("events:games:0:9", tmp_path)


def test_without_a_database_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the product's own database"):
        Fetcher().fetch("events:games:0:9", tmp_path)
