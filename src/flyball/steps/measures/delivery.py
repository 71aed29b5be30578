"""Measures of a batch as a whole: how many rows, how many were bad, missing or there before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from flyball.domain.text import many
from flyball.stats.calibration import binomial_excess, level_shift
from flyball.stats.kmv import Overlap, RowHashes
from flyball.steps.measures.evidence import (
    NEVER,
    Comparison,
    Evidence,
    batches,
    figure,
    percent,
    unjudged,
)

SEVERE_FACTOR = 10.0
"""A batch so many times smaller was cut off. A larger one may hold many days, and is no harm: what
it repeats is left out, or found by ``repeated``."""

SEVERE_OVERLAP = 0.5
"""Half of the rows were there already: an upload repeated, not a customer who came again."""

OVERLAP_ALLOWED = 0.01
"""Rows that may recur by themselves, where the history has not shown how many do."""

VOLUME_DEVIATION, VOLUME_DF = 0.25, 3.0
"""Expected standard deviation of the logarithm of a batch's rows, and its weight: one batch hardly
says how large the next one is, for many a small delivery follows a large first one."""

NEIGHBOURS = 3
"""Earlier batches that each is compared with, to see how many rows usually recur."""


def whole(c: Comparison) -> Iterator[Evidence]:
    """Measures of the batch as a whole."""
    if not c.own_events:  # their number only says when somebody asked for them
        yield _volume(c)
    read = [(p.rejected, p.read) for p in c.history]
    yield c.share(
        "rejected", (c.current.rejected, c.current.read), read,
        what="broke a rule", cause="the source changed its format or lost its quality",
    )  # fmt: skip
    repeated = [(p.duplicates, p.read) for p in c.history]
    yield c.share(
        "duplicates", (c.current.duplicates, c.current.read), repeated,
        what="were there twice", cause="an export or a join repeated its rows",
        severe_at=NEVER,  # what is left out does no harm
    )  # fmt: skip
    for column, rows in c.current.unresolved.items():
        past = [(p.unresolved[column], p.rows) if column in p.unresolved else None
                for p in c.history]  # fmt: skip
        yield c.share(
            f"unresolved:{column}", (rows, c.current.rows), past,
            what=f"have a value of {column} that the table it refers to does not have",
            cause="the table referred to is out of date, or the ids changed",
        )  # fmt: skip
    overlap = _overlap(c)
    if overlap is not None:
        yield overlap


def nulls(c: Comparison) -> Iterator[Evidence]:
    """Missing values by column. A batch without a column misses them all."""
    for column in c.schema.columns:
        now, past = c.column(column.name)
        if not column.nullable or (now is None and not any(past)):
            continue
        history = [(p.rows if seen is None else seen.nulls, p.rows)
                   for p, seen in zip(c.history, past, strict=True)]  # fmt: skip
        rows = c.current.rows
        yield c.share(
            f"nulls:{column.name}", (rows if now is None else now.nulls, rows), history,
            what=f"have no {column.name}",
            cause=f"the source has no column {column.name} any more" if now is None
            else f"{column.name} was lost on the way, or is called otherwise",
        )  # fmt: skip


def _volume(c: Comparison) -> Evidence:
    rows = max(c.current.read, c.current.rows)
    seen = many(rows, "row")
    if not c.history:
        return unjudged("volume", rows, seen)
    levels = np.log([max(p.read, p.rows) for p in c.history])
    expected = float(np.exp(levels.mean()))
    factor = max(rows, 1) / expected
    p_value = level_shift(
        levels,
        math.log(max(rows, 1)),
        noise=_noise(c),
        prior_deviation=VOLUME_DEVIATION,
        prior_df=VOLUME_DF,
    )
    return Evidence(
        measure="volume", observed=rows, expected=expected, p_value=p_value,
        effect=max(factor, 1 / factor), severe_at=SEVERE_FACTOR if factor < 1 else NEVER,
        seen=f"{seen}, usually {expected:,.0f} by {batches(len(c.history))}",
        cause="part of the source is missing, or the file was cut off" if factor < 1
        else "the source holds more than one delivery, or repeats itself",
    )  # fmt: skip


def _noise(c: Comparison) -> float:
    """By how much the logarithm of the rows varies if people come by chance, at the usual size."""
    sizes = [max(p.read, p.rows) for p in c.history]
    return math.sqrt(float(np.median(c.clusters / np.array(sizes))))


def _overlap(c: Comparison) -> Evidence | None:
    """The share of rows that is in one earlier batch already; the largest such share counts."""
    mine = c.current.row_hashes
    past = [p.row_hashes for p in c.history]
    if mine is None:
        return None
    found = [(mine.overlap(p), i) for i, p in enumerate(past) if p is not None]
    known = [(overlap, i) for overlap, i in found if overlap is not None and overlap.compared]
    if not known:
        return None
    worst, place = max(known, key=lambda pair: pair[0].share or 0.0)
    usual = [b.overlap(a) for b, before in _neighbours([p for p in past if p is not None])
             for a in before]  # fmt: skip
    most = max((_upper(o) for o in usual if o is not None and o.compared), default=0.0)
    allowed = min(1.0, max(OVERLAP_ALLOWED, most))
    share = worst.share or 0.0
    p_value = min(1.0, len(known) * binomial_excess(worst.found, worst.compared, allowed))
    return Evidence(
        measure="repeated", observed=share, expected=most, p_value=p_value,
        effect=share - allowed, severe_at=SEVERE_OVERLAP,
        seen=f"about {percent(share)} of the rows are in one earlier batch already "
        f"({figure(worst.found)} of {figure(worst.compared)} compared; at most "
        f"{percent(allowed)} expected)",
        cause=f"the batch {_back(len(c.history) - place)}before this one was uploaded again",
    )  # fmt: skip


def _back(count: int) -> str:
    """How many batches of its kind one goes back; nothing for the last one."""
    return "" if count == 1 else f"{count} "


def _neighbours(past: Sequence[RowHashes]) -> Iterator[tuple[RowHashes, Sequence[RowHashes]]]:
    """Each with the few before it."""
    for place, each in enumerate(past):
        yield each, past[max(0, place - NEIGHBOURS) : place]


def _upper(overlap: Overlap) -> float:
    """What an overlap may well be, given its sample: two standard errors above."""
    share = (overlap.found + 0.5) / (overlap.compared + 1)
    return share + 2 * math.sqrt(share * (1 - share) / overlap.compared) if overlap.found else 0.0
