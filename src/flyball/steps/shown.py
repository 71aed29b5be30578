"""What was shown and what came of it: lists joined with the events that name them, item by item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from flyball.domain.traffic import AHEAD, Answers, Event, EventType, Join
from flyball.errors import EnvironmentFailed
from flyball.ports import Events, ServedLists

_PAGE = 10_000
_TOLD = {
    "rendered": EventType.IMPRESSION,
    "clicked": EventType.CLICK,
    "purchased": EventType.PURCHASE,
    "played": EventType.PLAY,
    "disliked": EventType.DISLIKE,
}
"""Columns of ``join``, and the events that make them true."""

_EVENT_COLUMNS = {
    "recommendation_id": pl.String(),
    "item_id": pl.String(),
    "type": pl.String(),
    "value": pl.Float64(),
}
_SUMMED = ("rendered", "clicked", "purchased")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCounts:
    """What one version showed in one part, and what came of it.

    Attributes:
        version, variant: who answered.
        lists, items: how many were answered.
        rendered: items that an impression says were on a screen; the others were only served.
        clicked, purchased: items that were.
        value: what was paid, USD.
    """

    version: str
    variant: str
    lists: int
    items: int
    rendered: int
    clicked: int
    purchased: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReport:
    """Lists of a model shown in a stretch of time, and the feedback on them until now.

    Attributes:
        model: whose.
        since, until: when they were shown, UTC; ``until`` is excluded.
        counts: by version and variant.
        orphans: events received in that time that name an answer nobody gave.
        elsewhere: events for an answer of that time and an item that no kept list of it has: the
            list was dropped or has grown too old, or the user went on to another item.
        out: the file with the joined rows; None where none was asked for.
    """

    model: str
    since: datetime
    until: datetime
    counts: tuple[ShownCounts, ...]
    orphans: int
    elsewhere: int
    out: Path | None = None


def report(
    model: str,
    *,
    since: datetime,
    until: datetime,
    served: ServedLists,
    events: Events,
    answers: Answers,
    out: Path | None = None,
) -> ShownReport:
    """Join the lists shown from ``since`` to ``until`` (excluded) with all events on them.

    Args:
        out: a Parquet file for the rows of ``join``; one that is there is replaced.

    Raises:
        StorageUnavailable: the lists or the events cannot be read.
        EnvironmentFailed: ``out`` cannot be written.
    """
    lists = served.read(model, since=since, until=until)
    orphans, found = 0, []
    for event in _of(model, events, since=since - AHEAD):
        if event.received_at < since - AHEAD:
            continue  # it can't be about a list from later
        if not event.recommendation_id:
            continue
        answered = answers.read(event.recommendation_id)
        kind = answers.kind(answered, event.received_at)
        if kind is Join.ORPHAN:
            orphans += since <= event.received_at < until
        elif kind is Join.JOINED and answered and since <= answered.at < until:
            found.append(event)
    told = events_frame(found)
    rows = join(lists, told)
    known = told.join(rows, on=["recommendation_id", "item_id"], how="semi").height
    if out is not None:
        _write(rows, out)
    return ShownReport(
        model=model,
        since=since,
        until=until,
        counts=tuple(_counts(lists, rows)),
        orphans=orphans,
        elsewhere=told.height - known,
        out=out,
    )


def join(served: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """One row a shown item, with what its user did with it.

    Args:
        served: as ``ServedLists.read`` gives them.
        events: columns ``recommendation_id``, ``item_id``, ``type``, ``value``; those to be
            counted, any order.

    Returns:
        ``recommendation_id``, ``shown_at``, ``model``, ``version``, ``variant``, ``share``,
        ``user_id``, ``position`` (1 is the first), ``item_id``, ``propensity``, ``fallback``,
        ``filtered``, ``rendered``, ``clicked``, ``purchased``, ``played``, ``disliked``, and
        ``value`` (USD paid in all; null where it was not bought); by time and position.
    """
    bought = pl.col("type") == EventType.PURCHASE.value
    came = events.group_by("recommendation_id", "item_id").agg(
        *((pl.col("type") == kind.value).any().alias(name) for name, kind in _TOLD.items()),
        pl.when(bought.any()).then(pl.col("value").filter(bought).sum()).alias("value"),
    )
    items = (
        served.filter(pl.col("item_ids").list.len() > 0)
        .with_columns(position=pl.int_ranges(1, pl.col("item_ids").list.len() + 1))
        .explode("item_ids", "propensities", "position")
        .rename({"item_ids": "item_id", "propensities": "propensity"})
    )
    return (
        items.join(came, on=["recommendation_id", "item_id"], how="left")
        .with_columns(pl.col(*_TOLD).fill_null(value=False))
        .sort("shown_at", "recommendation_id", "position")
        .select(
            *("recommendation_id", "shown_at", "model", "version", "variant", "share"),
            *("user_id", "position", "item_id", "propensity", "fallback", "filtered"),
            *_TOLD,
            "value",
        )
    )


def events_frame(events: list[Event]) -> pl.DataFrame:
    """Events as ``join`` takes them."""
    rows = [(e.recommendation_id, e.item_id, e.type.value, e.value) for e in events]
    return pl.DataFrame(rows, schema=_EVENT_COLUMNS, orient="row")


def _counts(lists: pl.DataFrame, rows: pl.DataFrame) -> Iterator[ShownCounts]:
    by = ["version", "variant"]
    came = rows.group_by(by).agg(
        pl.len().alias("items"), pl.col("value").sum(), *(pl.col(name).sum() for name in _SUMMED)
    )
    counted = lists.group_by(by).agg(lists=pl.len()).join(came, on=by, how="left")
    for row in counted.fill_null(0).sort(by).iter_rows(named=True):
        yield ShownCounts(**row)


def _of(model: str, events: Events, *, since: datetime) -> Iterator[Event]:
    """All that was received since then, and some of before."""
    cursor = events.before(since)
    while True:
        page, cursor = events.after(cursor, limit=_PAGE, model=model)
        if not page:
            return
        yield from page


def _write(rows: pl.DataFrame, file: Path) -> None:
    try:
        rows.write_parquet(file)
    except OSError as error:
        raise EnvironmentFailed(
            f"{file} cannot be written: {error.strerror or error}; choose another file with --out"
        ) from error
