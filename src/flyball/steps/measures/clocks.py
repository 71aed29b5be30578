"""Measures of times: hours of the day, rows that are late, rows from the future."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import accumulate

import numpy as np

from flyball.domain.text import many
from flyball.stats.times import DAY, HOUR, Times
from flyball.steps.measures.distributions import histogram
from flyball.steps.measures.evidence import NEVER, Comparison, Evidence, figure, percent

GRACE = timedelta(days=1)
"""Clocks of other time zones may be so far ahead."""

NEWEST = 0.99
"""Quantile that stands for the newest time of a batch: a few wrong clocks do not move it."""

OLDEST = 0.01
"""Quantile that stands for the oldest time that is usual."""

SEVERE_FUTURE = 0.2
"""A fifth of the rows from the future: the clock or the format of the times is wrong."""


def clocks(
    c: Comparison, name: str, now: Times, past: Sequence[Times | None]
) -> Iterator[Evidence]:
    """A column of times."""
    if not now.count:
        return
    known = [None if each is None or not each.count else each for each in past]
    hours = [None if each is None else np.asarray(each.hours, float) for each in known]
    cause = "a clock or a time zone changed, or part of the day is missing"
    mine = np.asarray(now.hours, float)
    yield from histogram(c, f"hours:{name}", mine, hours, cause, severe_at=NEVER)
    yield _future(c, name, now, known)
    if c.schema.personal:  # what people did arrives in time; facts may be of any age
        yield _late(c, name, now, known)


def _future(c: Comparison, name: str, now: Times, past: Sequence[Times | None]) -> Evidence:
    """Rows later than now. What people did cannot be; facts such as a release date can."""
    limit = int((c.now + GRACE).timestamp() * 1e6)
    rows = _after(now, limit)
    what = f"have a value of {name} after {(c.now + GRACE):%Y-%m-%d}"
    cause = "the clock or the format of the times is wrong"
    if not c.schema.personal:
        history = [None if each is None else (_after(each, limit), each.count) for each in past]
        return c.share(
            f"future:{name}", (rows, now.count), history,
            what=what, cause=cause, severe_at=NEVER,
        )  # fmt: skip
    share = rows / now.count
    return Evidence(
        measure=f"future:{name}", observed=share, expected=0.0, p_value=0.0 if rows else 1.0,
        effect=share, severe_at=SEVERE_FUTURE, impossible=True,
        seen=f"{percent(share)} of the rows {what} ({figure(round(rows))} of "
        f"{figure(now.count)}); none may be",
        cause=cause,
    )  # fmt: skip


def _late(c: Comparison, name: str, now: Times, past: Sequence[Times | None]) -> Evidence:
    """Rows older than the history's usual lag behind the newest time known when they came."""
    newest = list(accumulate((_quantile(each, NEWEST) for each in (*past, now)), max))
    lags = [front - _quantile(each, OLDEST)
            for front, each in zip(newest, past, strict=False) if each is not None]  # fmt: skip
    lag = max(lags, default=0.0)

    def older(each: Times | None, front: float) -> tuple[float, float] | None:
        if each is None:
            return None
        return float(each.numbers.up_to(front - lag, inclusive=False)), each.count

    return c.share(
        f"late:{name}",
        older(now, newest[-1]) or (0, now.count),
        [older(each, front) for each, front in zip(past, newest, strict=False)] if lags else [],
        what=f"are older than the newest by more than {_span(lag)}",
        cause="an old export, a delayed sender, or a clock that is behind",
        severe_at=NEVER,  # people bring in what is older, and mean it
    )


def _span(microseconds: float) -> str:
    """A length of time in words."""
    if microseconds < 2 * DAY:
        return many(round(microseconds / HOUR), "hour")
    return many(round(microseconds / DAY), "day")


def _after(each: Times, microseconds: int) -> float:
    """How many are later: to the day where the distribution's bins are wider."""
    return min(each.after(microseconds), each.count - float(each.numbers.cdf(microseconds) or 0.0)
               * each.count)  # fmt: skip


def _quantile(each: Times | None, share: float) -> float:
    found = None if each is None else each.numbers.quantile(share)
    return -np.inf if found is None else found
