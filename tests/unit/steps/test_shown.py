"""What was shown and what came of it: against a small truth, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path

import polars as pl
import pytest

from flyball.domain.traffic import Answers, Event, EventType
from flyball.errors import EnvironmentFailed
from flyball.steps.shown import ShownCounts, ShownReport, report
from flyball.storage.served import FileServed
from flyball.testing.builders import NOON, a_list, a_version, an_event
from flyball.testing.fakes import ManualClock

ANSWERS = Answers(b"a key of the tests")
OLD, NEW = a_version("1.0.0").name, a_version("1.1.0").name


class ListedEvents:
    """As much of the event store as joining needs."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def before(self, at: datetime) -> int:
        early = takewhile(lambda event: event.received_at < at, self.events)
        return sum(1 for _ in early)

    def after(self, cursor: int, *, limit: int, model: str) -> tuple[Sequence[Event], int]:
        page = self.events[cursor : cursor + limit]
        return [event for event in page if event.model == model], cursor + len(page)


@dataclass
class World:
    """A store of lists and one of events."""

    root: Path
    store: ListedEvents = field(default_factory=ListedEvents)

    def __post_init__(self) -> None:
        clock = ManualClock(NOON)
        folder, keep = self.root / "served", timedelta(days=14)
        self.served = FileServed(folder, keep=keep, limit=10**9, clock=clock)
        self._count = 0

    def show(
        self, *items: str, version: str = OLD, minutes: float = 0, kept: bool = True, **more: object
    ) -> str:
        """Show a list so many minutes after noon; gives the answer's id."""
        self._count += 1
        at = int((NOON + timedelta(minutes=minutes)).timestamp() * 1000)
        answer = ANSWERS.new(version, at, f"{self._count:010x}")
        fields = {"version": version, "shown_at": at, "item_ids": items} | more
        if kept:
            self.served.append([a_list(answer, propensities=[0.5] * len(items), **fields)])
        return answer

    def tell(
        self,
        answer: str,
        item: str,
        *types: EventType,
        value: float | None = None,
        hours: float = 1.0,
    ) -> None:
        """Events about one item, so many hours after noon."""
        for kind in types:
            self._count += 1
            self.store.events.append(
                an_event(
                    f"event-{self._count}",
                    type=kind,
                    item_id=item,
                    recommendation_id=answer,
                    value=value,
                    received_at=NOON + timedelta(hours=hours),
                )
            )

    def report(self, *, out: Path | None = None) -> ShownReport:
        return report(
            "games",
            since=NOON,
            until=NOON + timedelta(hours=2),
            served=self.served,
            events=self.store,  # type: ignore[arg-type]
            answers=ANSWERS,
            out=out,
        )


SEEN, CLICK, BUY, PLAY = (
    EventType.IMPRESSION,
    EventType.CLICK,
    EventType.PURCHASE,
    EventType.PLAY,
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_counts_come_by_version_and_variant(world):
    first = world.show("a", "b", "c")
    world.show("a", "b")
    third = world.show("d", version=NEW, variant="challenger", share=0.1)
    world.show(version=NEW, variant="challenger", share=0.1)
    world.tell(first, "a", SEEN, CLICK, CLICK)
    world.tell(first, "a", BUY, value=9.5)
    world.tell(first, "b", SEEN)
    world.tell(third, "d", SEEN, CLICK)
    world.tell(third, "d", BUY, value=20.0)
    world.tell(third, "d", BUY)
    found = world.report()
    assert found.counts == (
        ShownCounts(version=OLD, variant="champion", lists=2, items=5, rendered=2, clicked=1,
                    purchased=1, value=9.5),
        ShownCounts(version=NEW, variant="challenger", lists=2, items=1, rendered=1, clicked=1,
                    purchased=1, value=20.0),
    )  # fmt: skip
    assert (found.orphans, found.elsewhere) == (0, 0)


def test_what_nobody_gave_is_an_orphan_and_counts_for_nothing(world):
    answer = world.show("a")
    world.tell(answer[:-1], "a", CLICK)
    world.tell(Answers(b"another key").new(OLD, int(NOON.timestamp() * 1000), "0" * 10), "a", BUY)
    world.tell("", "a", BUY)
    found = world.report()
    assert found.orphans == 2
    assert (found.counts[0].clicked, found.counts[0].purchased) == (0, 0)


def test_events_of_items_or_lists_that_are_not_kept_are_counted_apart(world):
    world.tell(world.show("a"), "z", CLICK)
    world.tell(world.show("a", kept=False), "a", CLICK, BUY)
    found = world.report()
    assert (found.elsewhere, found.orphans, found.counts[0].clicked) == (3, 0, 0)


def test_lists_from_before_or_after_are_not_counted_nor_their_events(world):
    for minutes in (-1, 120):
        world.tell(world.show("a", minutes=minutes), "a", CLICK, hours=3)
    found = world.report()
    assert (found.counts, found.orphans, found.elsewhere) == ((), 0, 0)


def test_events_of_another_model_are_left_alone(world):
    answer = world.show("a")
    world.store.events.append(an_event("x", model="adult", recommendation_id=answer, item_id="a"))
    assert world.report().counts[0].purchased == 0


def test_rows_are_written_one_a_shown_item(world, tmp_path):
    answer = world.show("a", "b", share=0.9, filtered=True)
    later = world.show("a", minutes=1, user_id="")
    world.tell(answer, "b", SEEN, PLAY)
    world.tell(answer, "b", BUY, BUY, value=2.5)
    world.report(out=tmp_path / "rows.parquet")
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    done = ("rendered", "clicked", "purchased", "played", "disliked")
    assert rows.select("item_id", "position", *done, "value").rows() == [
        ("a", 1, False, False, False, False, False, None),
        ("b", 2, True, False, True, True, False, 5.0),
        ("a", 1, False, False, False, False, False, None),
    ]
    assert rows["recommendation_id"].to_list() == [answer, answer, later]
    who = ("version", "variant", "share", "propensity", "user_id", "filtered", "shown_at")
    assert rows.select(who).row(0) == (OLD, "champion", 0.9, 0.5, "player-1", True, NOON)
    assert rows["user_id"].to_list() == ["player-1", "player-1", ""]


def test_rows_of_nothing_are_a_file_without_rows(world, tmp_path):
    world.report(out=tmp_path / "rows.parquet")
    assert pl.read_parquet(tmp_path / "rows.parquet").height == 0


def test_a_file_that_cannot_be_written_is_said_so(world, tmp_path):
    with pytest.raises(EnvironmentFailed, match="--out"):
        world.report(out=tmp_path / "no" / "such" / "folder.parquet")
