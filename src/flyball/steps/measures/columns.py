"""Measures of what each column holds, by its type."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from flyball.domain.schema import Column, ColumnType, Privacy
from flyball.stats.calibration import Tail, level_shift
from flyball.stats.profile import ColumnProfile
from flyball.stats.values import Text, Values
from flyball.steps.measures.clocks import clocks
from flyball.steps.measures.distributions import SEVERE_OTHERS, histogram, numbers, values
from flyball.steps.measures.evidence import (
    Comparison,
    Evidence,
    batches,
    figure,
    percent,
    unjudged,
)

CATEGORIES = 32
"""A column of at most so many texts in all of the history is one of categories."""

SEVERE_TOP = 0.3
"""One person or item with so many more of the rows decides what is learnt."""

TOP_DEVIATION = 0.4
"""Expected standard deviation of the logarithm of the largest share, before any history."""


def columns(c: Comparison) -> Iterator[Evidence]:
    """Every column that the batch has."""
    for column in c.schema.columns:
        now, past = c.column(column.name)
        if now is None:
            continue
        known = [seen if seen is not None and seen.type is now.type else None for seen in past]
        if column.privacy is Privacy.PERSONAL:
            yield from _top(column.name, now.values, _values(known))
        elif now.times is not None:
            times = [None if seen is None else seen.times for seen in known]
            yield from clocks(c, column.name, now.times, times)
        elif now.numbers is not None:
            each = [None if seen is None else seen.numbers for seen in known]
            yield from numbers(c, f"distribution:{column.name}", now.numbers, each)
        elif now.values is not None:
            closed = _closed(now.values, _values(known))
            yield from (_categories if closed else _open)(c, column, now, known)


def _values(known: Sequence[ColumnProfile | None]) -> list[Values | None]:
    return [None if seen is None else seen.values for seen in known]


def _closed(now: Values, past: Sequence[Values | None]) -> bool:
    """Whether a column is one of categories, by its history (without one: by itself)."""
    known = [each for each in past if each is not None and each.count] or [now]
    every = {value for each in known for value in each.counts}
    return all(each.closed for each in known) and len(every) <= CATEGORIES


def _categories(
    c: Comparison, column: Column, now: ColumnProfile, known: Sequence[ColumnProfile | None]
) -> Iterator[Evidence]:
    """A column of few values."""
    name, past = column.name, _values(known)
    if now.values is None:
        return
    counts = [None if each is None else each.counts for each in past]
    cause = f"some values of {name} have become more or less frequent"
    yield from values(c, f"distribution:{name}", now.values.counts, counts, cause)
    if column.type is not ColumnType.BOOLEAN:
        yield _new_values(c, name, now.values, past)


def _new_values(c: Comparison, name: str, now: Values, past: Sequence[Values | None]) -> Evidence:
    """Rows whose value no other batch has: of this batch, and likewise of each earlier one."""
    batch = [now, *past]

    def alone(place: int) -> tuple[float, float] | None:
        mine = batch[place]
        if mine is None:
            return None
        others = {value for i, each in enumerate(batch) if each and i != place
                  for value in each.counts}  # fmt: skip
        rows = sum(rows for value, rows in mine.counts.items() if value not in others)
        return rows + mine.rest, mine.count

    found = [v for v in now.counts if not any(v in each.counts for each in past if each)]
    shown = ", ".join(repr(value[:40]) for value in found[:3])
    return c.share(
        f"new_values:{name}", alone(0) or (0, 0), [alone(i) for i in range(1, len(batch))],
        what=f"have a value of {name} that no other batch has"
        + (f", such as {shown}" if shown else ""),
        cause=f"{name} has a new category, or another spelling of an old one",
    )  # fmt: skip


def _open(
    c: Comparison, column: Column, now: ColumnProfile, known: Sequence[ColumnProfile | None]
) -> Iterator[Evidence]:
    """A column of many values: a text, or a list of them."""
    name, past = column.name, _values(known)
    if now.values is None:
        return
    buckets = [None if each is None else np.asarray(each.buckets, float) for each in past]
    cause = f"other values of {name}: another population, another column, or damaged text"
    mine = np.asarray(now.values.buckets, float)
    yield from histogram(c, f"distribution:{name}", mine, buckets, cause, severe_at=SEVERE_OTHERS)
    yield from _top(name, now.values, past)
    if now.text is not None:
        texts = [None if seen is None else seen.text for seen in known]
        yield from _writing(c, name, now.text, texts)
    if now.sizes is not None:
        sizes = [None if seen is None else seen.sizes for seen in known]
        yield from numbers(c, f"elements:{name}", now.sizes, sizes)


def _writing(
    c: Comparison, name: str, now: Text, past: Sequence[Text | None]
) -> Iterator[Evidence]:
    """What the texts look like."""
    lengths = [None if text is None else text.lengths for text in past]
    yield from numbers(c, f"length:{name}", now.lengths, lengths)
    rows = now.lengths.count
    for trait in _TRAITS:
        history = [
            None if text is None else (trait.rows(text), text.lengths.count) for text in past
        ]
        yield c.share(
            f"{trait.measure}:{name}", (trait.rows(now), rows), history,
            what=f"have a value of {name} {trait.what}", cause=trait.cause, tail=trait.tail,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Trait:
    """Something that can be said of a text."""

    measure: str
    rows: Callable[[Text], int]
    tail: Tail
    what: str
    cause: str


_TRAITS = (
    _Trait(
        "encoding", lambda text: text.broken, Tail.UPPER, "with traces of a wrong encoding",
        "the file was written in one encoding and read in another",
    ),
    _Trait(
        "non_ascii", lambda text: text.non_ascii, Tail.BOTH, "with letters beyond ASCII",
        "accents were lost or added: another encoding, or another population",
    ),
    _Trait(
        "digits", lambda text: text.digits, Tail.UPPER, "of digits only",
        "an id stands in the place of a text: columns may have been swapped",
    ),
)  # fmt: skip


def _top(name: str, now: Values | None, past: Sequence[Values | None]) -> Iterator[Evidence]:
    """The share of the most frequent person or item: bots, fake profiles, a stuck default."""
    if now is None or not now.counts:
        return
    share, rows = _largest(now), now.count
    held = f"{figure(round(share * rows))} of {figure(rows)}"
    seen = f"one {name} has {percent(share)} of the rows ({held})"
    known = [each for each in past if each is not None and each.counts]
    if not known:
        yield unjudged(f"top:{name}", share, seen)
        return
    # The largest share of a smaller batch is larger: at most in inverse proportion to its size.
    levels = [math.log(_largest(p)) + max(0.0, math.log(p.count / rows)) for p in known]
    expected = min(1.0, math.exp(float(np.mean(levels))))
    p_value = level_shift(
        levels,
        math.log(share),
        noise=math.sqrt(2 / max(1.0, expected * rows)),
        prior_deviation=TOP_DEVIATION,
        tail=Tail.UPPER,
    )
    yield Evidence(
        measure=f"top:{name}", observed=share, expected=expected, p_value=p_value,
        effect=share - expected, severe_at=SEVERE_TOP,
        seen=f"{seen}, {percent(expected)} expected from {batches(len(known))}",
        cause="a bot, a fake profile, or a default put in the place of missing values",
    )  # fmt: skip


def _largest(each: Values) -> float:
    return next(iter(each.counts.values())) / each.count
