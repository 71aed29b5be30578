"""Which columns are distributed otherwise in one dataset version than in another. No effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from flyball.domain.data import Measured
from flyball.domain.schema import Schema
from flyball.domain.validation import Verdict
from flyball.stats.distances import JENSEN_SHANNON, Histogram
from flyball.stats.profile import ColumnProfile, Profile
from flyball.stats.sketches import Numbers
from flyball.stats.values import Values
from flyball.steps.anomalies import judged

PARTS = 32
"""Intervals of numbers and times that are compared, of about equal counts in the older version."""

ENOUGH = 3
"""Batches of one version that show how much batches differ by themselves."""

_MEASURE = "distribution:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """How one column's distribution moved.

    Attributes:
        column: its name.
        distance: Jensen-Shannon, 0 (equal shares) to 1 (nothing in common); None where one of the
            versions has no value.
        verdict: fail where the batches that differ move it more than chance would; pass where they
            do not; inconclusive where nothing can be told.
        detail: the evidence, in words; empty where there is none.
    """

    column: str
    distance: float | None
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """The profiles of one table's batches in two versions, by batch id.

    Attributes:
        before, after: in order of arrival.
    """

    before: Mapping[str, Profile]
    after: Mapping[str, Profile]


def movements(
    profiled: Profiled, schema: Schema, *, false_alarms: float, now: datetime
) -> tuple[Movement, ...]:
    """How the columns of a table moved, the greatest distance first; without personal columns.

    The distance is between whole versions. Whether it is chance is judged as of a new batch: what
    only one version has against the batches of the other one.

    Args:
        false_alarms: share of pairs of like versions for which any column may seem to have moved.
    """
    before = Profile.merged(profiled.before.values())
    after = Profile.merged(profiled.after.values())
    verdicts = _verdicts(profiled, schema, false_alarms=false_alarms, now=now)
    # where only people were forgotten, both have the same batches
    unjudged = Verdict.PASS if _same(profiled) else Verdict.INCONCLUSIVE
    found = []
    for name in dict.fromkeys((*before.columns, *after.columns)):
        if name in schema.personal:
            continue
        said = verdicts.get(name)
        found.append(
            Movement(
                column=name,
                distance=_distance(before.columns.get(name), after.columns.get(name)),
                verdict=said.verdict if said else unjudged,
                detail=said.detail if said else "",
            )
        )
    return tuple(sorted(found, key=lambda one: -(one.distance or 0.0)))


def _verdicts(
    profiled: Profiled, schema: Schema, *, false_alarms: float, now: datetime
) -> dict[str, Measured]:
    """By column, whether what only one version has is distributed as the other one is."""
    new = [profile for id_, profile in profiled.after.items() if id_ not in profiled.before]
    old = list(profiled.before.values())
    if not new:
        new = [profile for id_, profile in profiled.before.items() if id_ not in profiled.after]
        old = list(profiled.after.values())
    if not new or not old:
        return {}
    found = judged(Profile.merged(new), old, schema=schema, false_alarms=false_alarms, now=now)
    return {
        one.measure.removeprefix(_MEASURE): one if len(old) >= ENOUGH else _wary(one, len(old))
        for one in found
        if one.measure.startswith(_MEASURE)
    }


def _same(profiled: Profiled) -> bool:
    return bool(profiled.before) and profiled.before.keys() == profiled.after.keys()


def _wary(one: Measured, batches: int) -> Measured:
    """Without knowing how much batches differ, what is no alarm is no pass either."""
    if one.verdict is not Verdict.PASS:
        return one
    known = "1 batch does not" if batches == 1 else f"{batches} batches do not"
    detail = f"{one.detail}; {known} show how much batches differ by themselves"
    return replace(one, verdict=Verdict.INCONCLUSIVE, detail=detail)


def _distance(before: ColumnProfile | None, after: ColumnProfile | None) -> float | None:
    if before is None or after is None or before.type is not after.type:
        return None
    if before.values is not None and after.values is not None:
        return _between(*_by_value(before.values, after.values))
    old, new = _numbers(before), _numbers(after)
    if old is None or new is None:
        return None
    cuts = old.cuts(PARTS)
    return _between(old.counts(cuts).tolist(), new.counts(cuts).tolist())


def _numbers(column: ColumnProfile) -> Numbers | None:
    return column.times.numbers if column.times is not None else column.numbers


def _by_value(before: Values, after: Values) -> tuple[list[float], list[float]]:
    """Rows by value, where all values are known; else by bucket of their hash."""
    if before.closed and after.closed:
        names = dict.fromkeys((*before.counts, *after.counts))
        return (
            [float(before.counts.get(name, 0)) for name in names],
            [float(after.counts.get(name, 0)) for name in names],
        )
    return [float(n) for n in before.buckets], [float(n) for n in after.buckets]


def _between(before: Sequence[float], after: Sequence[float]) -> float | None:
    if not np.sum(before) or not np.sum(after):
        return None
    return JENSEN_SHANNON(Histogram(counts=before), Histogram(counts=after))
