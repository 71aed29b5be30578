"""Live traffic as series, and the reader that reads only what is new."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from flyball.console import chart
from flyball.console.traffic import POINTS, Follower, Traffic, read, series
from flyball.domain.traffic import Window
from flyball.storage.database import open_database
from flyball.storage.traffic import SqlEvents
from flyball.testing.builders import NOON, a_version, a_window

OTHER = a_version("1.1.0").name


def at(seconds: float) -> datetime:
    """So many seconds before or after noon."""
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def database(tmp_path: Path) -> Engine:
    return open_database(f"sqlite:///{tmp_path / 'events.sqlite'}")


class TestASeries:
    def test_merges_workers_and_keeps_versions_apart(self) -> None:
        windows = [
            a_window(3, 1, start=at(-5)),
            a_window(4, 0, start=at(-5), worker="host:2"),
            a_window(5, 0, start=at(-4), version=OTHER),
        ]
        traffic = series("games", windows, until=NOON, minutes=15)
        totals = {found.version: found.total for found in traffic.versions}
        assert (totals[a_version().name].requests, totals[a_version().name].errors) == (7, 1)
        assert totals[OTHER].requests == 5

    def test_has_sixty_points_silent_ones_included(self) -> None:
        traffic = series("games", [a_window(start=at(-100))], until=NOON, minutes=15)
        points = traffic.versions[0].points
        assert len(points) == POINTS
        assert sum(point.requests for point in points) == 10
        silent = [point for point in points if not point.requests]
        assert {point.p95_ms for point in silent} == {None}

    def test_has_the_same_points_a_moment_later(self) -> None:
        windows = [a_window(start=at(-100))]
        now, then = (
            series("games", windows, until=at(seconds), minutes=15).versions[0].points
            for seconds in (1, 14)
        )
        assert now[:-1] == then[:-1]
        assert (now[-1].seconds, then[-1].seconds) == (1.0, 14.0)

    def test_leaves_out_what_is_older_or_yet_to_come(self) -> None:
        windows = [a_window(start=at(-1000)), a_window(start=at(10))]
        assert series("games", windows, until=NOON, minutes=15).versions == ()

    def test_counts_requests_a_second(self) -> None:
        windows = [a_window(30, start=at(-20))]
        points = series("games", windows, until=NOON, minutes=15).versions[0].points
        assert max(point.per_second for point in points) == pytest.approx(2.0)


class TestFollowing:
    """What it shows is what a reader of everything would show."""

    def test_sees_the_same_as_reading_all_of_it(self, database: Engine) -> None:
        events = SqlEvents(database)
        follower = Follower(events, "games", minutes=1)
        for second in range(0, 130, 7):
            late = [a_window(1, worker="host:2", start=at(second - 20))]
            events.add_windows([a_window(2, start=at(second - 1)), *late])
            now = at(second)
            whole = read(events, "games", until=now, minutes=1)
            assert requests(follower.read(now)) == requests(whole)

    def test_finds_what_came_very_late_within_a_minute(self, database: Engine) -> None:
        events = SqlEvents(database)
        follower = Follower(events, "games", minutes=15)
        follower.read(NOON)
        events.add_windows([a_window(start=at(-300))])
        assert requests(follower.read(at(1))) == 0
        assert requests(follower.read(at(61))) == 10

    def test_asks_the_database_only_for_what_is_new(self, database: Engine) -> None:
        asked: list[datetime] = []

        class Counting(SqlEvents):
            def windows(
                self, model: str, *, since: datetime, version: str | None = None
            ) -> list[Window]:
                asked.append(since)
                return super().windows(model, since=since, version=version)

        follower = Follower(Counting(database), "games", minutes=15)
        for second in (0, 1, 2):
            follower.read(at(second))
        assert asked[1:] == [at(-30), at(-29)]
        assert asked[0] < at(-800)


def requests(traffic: Traffic) -> int:
    return sum(version.total.requests for version in traffic.versions)


class TestTheChart:
    def test_draws_each_version_in_both_pictures_in_one_colour(self) -> None:
        windows = [a_window(start=at(-100)), a_window(start=at(-90), version=OTHER)]
        drawn = chart.options(series("games", windows, until=NOON, minutes=15))
        lines = [(line["name"], line["yAxisIndex"]) for line in drawn["series"]]
        assert lines == [("1.0.0", 0), ("1.0.0", 1), ("1.1.0", 0), ("1.1.0", 1)]
        colours = [line["itemStyle"]["color"] for line in drawn["series"]]
        assert colours[0] == colours[1] != colours[2] == colours[3]

    def test_leaves_out_the_stretch_that_is_not_over(self) -> None:
        windows = [a_window(start=at(1))]
        traffic = series("games", windows, until=at(2), minutes=15)
        assert requests(traffic) == 10
        assert {value for _, value in chart.options(traffic)["series"][0]["data"]} == {0.0}
