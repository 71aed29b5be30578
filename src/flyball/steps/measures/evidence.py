"""A batch beside earlier ones, and what one measure of it found. No effects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from flyball.domain.schema import Schema
from flyball.stats.calibration import Tail, share_shift
from flyball.stats.dispersion import cluster_size
from flyball.stats.profile import ColumnProfile, Profile

SEVERE_SHARE = 0.2
"""A fifth of the rows without a value, or wrong in some way, changes what a model learns."""

NEVER = math.inf
"""``severe_at`` of what honest deliveries show, too (a backfill, half a day): always a notice."""

_LARGE, _HUGE = 1e4, 1e15

Counts = tuple[float, float]
"""Rows with a trait, and rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one measure found.

    Attributes:
        measure: its name.
        observed, expected: the batch's value and the history's; None where there is none.
        p_value: None where there is no history to judge by.
        effect: how large the difference is, in the unit of ``severe_at``.
        severe_at: from which effect on it is severe, if it is no chance.
        seen: in words, with numbers.
        cause: what most likely happened, if it is no chance.
        impossible: it is no question of chance: true where a sound batch cannot show it.
        pair: the two columns that it is about, if it is about two.
    """

    measure: str
    observed: float | None
    expected: float | None
    p_value: float | None
    effect: float
    severe_at: float
    seen: str
    cause: str
    impossible: bool = False
    pair: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A batch beside earlier ones.

    Attributes:
        current, history: profiles; the history has batches with rows only, the oldest first.
        schema: of their table.
        now: UTC.
        cluster, clusters: how large the clusters are that a row's person makes.
        own_events: the batches are the model's own events, taken whenever somebody asked for them.
    """

    current: Profile
    history: tuple[Profile, ...]
    schema: Schema
    now: datetime
    cluster: float
    clusters: NDArray[np.float64]
    own_events: bool = False

    @classmethod
    def of(
        cls,
        current: Profile,
        history: Sequence[Profile],
        schema: Schema,
        now: datetime,
        *,
        own_events: bool = False,
    ) -> Comparison:
        """Batches without rows say nothing of what is usual, and are left out."""
        usual = tuple(profile for profile in history if profile.rows > 0)
        return cls(
            current=current,
            history=usual,
            schema=schema,
            now=now,
            cluster=_cluster(current, schema),
            clusters=np.array([_cluster(profile, schema) for profile in usual]),
            own_events=own_events,
        )

    def column(self, name: str) -> tuple[ColumnProfile | None, list[ColumnProfile | None]]:
        """A column of the batch, and of each earlier one; None where a batch does not have it."""
        return self.current.columns.get(name), [p.columns.get(name) for p in self.history]

    def share(
        self,
        measure: str,
        current: Counts,
        history: Sequence[Counts | None],
        *,
        what: str,
        cause: str,
        tail: Tail = Tail.UPPER,
        severe_at: float = SEVERE_SHARE,
    ) -> Evidence:
        """Evidence of a share of rows; ``history`` is None for batches without it."""
        known = [i for i, pair in enumerate(history) if pair is not None and pair[1] > 0]
        pairs = [pair for pair in history if pair is not None and pair[1] > 0]
        observed = current[0] / current[1] if current[1] else 0.0
        counts = f"{current[0]:,.0f} of {current[1]:,.0f}"
        seen = f"{percent(observed)} of the rows {what} ({counts})"
        if not pairs:
            return unjudged(measure, observed, seen)
        expected = sum(p[0] for p in pairs) / sum(p[1] for p in pairs)
        return Evidence(
            measure=measure,
            observed=observed,
            expected=expected,
            p_value=share_shift(pairs, current, self.clusters[known], self.cluster, tail=tail),
            effect=abs(observed - expected),
            severe_at=severe_at,
            seen=f"{seen}, {percent(expected)} in {batches(len(pairs))}",
            cause=cause,
        )


def unjudged(measure: str, observed: float | None, seen: str) -> Evidence:
    """Evidence without a history."""
    return Evidence(
        measure=measure, observed=observed, expected=None, p_value=None, effect=0.0,
        severe_at=math.inf, seen=f"{seen}; no earlier batch to compare with", cause="",
    )  # fmt: skip


def batches(count: int) -> str:
    """How much the history is, in words."""
    return "the earlier batch" if count == 1 else f"{count} earlier batches"


def percent(share: float) -> str:
    """A share in words."""
    return f"{share:.1%}" if share >= 0.001 or share == 0 else f"{100 * share:.2g}%"


def figure(number: float) -> str:
    """A number in words: large ones whole, with commas; others with four digits that count."""
    whole = float(number).is_integer() or abs(number) >= _LARGE
    return f"{number:,.0f}" if whole and abs(number) < _HUGE else f"{number:.4g}"


def _cluster(profile: Profile, schema: Schema) -> float:
    """People are the clusters; of two columns the more clustered one counts."""
    columns = [profile.columns.get(name) for name in schema.personal]
    found = [cluster_size(c.values.buckets) for c in columns if c is not None and c.values]
    return max(found, default=1.0)
