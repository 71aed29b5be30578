"""What a shop wants of a list: boosts and pins, each for a time. Pure: values in, values out.

A boost multiplies the odds of its items: with ``odds = p / (1 - p)`` of the calibrated probability
``p``, ``odds' = factor * odds``, so ``p' = factor p / (1 - p + factor p)``; the item is then ranked
at the score that has this probability. That works for scores of any sign and scale, keeps ``p'``
within (0, 1), lets factors multiply, and a boost never turns around two items that both have it.
It moves places only: the probability that is told to players, and any bound on it, stay those of
the score itself.

A pin puts an item at a place. It is no way past a filter: an item that the player has, hides or
filters out stays out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest

if TYPE_CHECKING:
    from flyball.stats.probability import Calibration


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Boost:
    """Items of better or worse odds.

    Attributes:
        items: shape (n,), item columns; or a mask of all items, shape (n_items,).
        factor: above 0: what their odds are multiplied by. Below 1 it holds them back.
        start, end: it counts for ``start <= now < end``; with time zones.
        columns: shape (n,), of the items; rising and distinct.

    Raises:
        InvalidRequest: the factor, a column or the times are wrong.
    """

    items: NDArray[np.integer[Any]] | NDArray[np.bool_]
    factor: float
    start: datetime
    end: datetime
    columns: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.factor) and self.factor > 0.0):
            raise InvalidRequest(
                f"a boost by {self.factor} is none: use a finite factor above 0, such as 2 for "
                "twice the odds or 0.5 for half"
            )
        kind = self.items.dtype.kind
        if self.items.ndim != 1 or kind not in "iub":
            raise InvalidRequest(
                f"a boost's items of type {self.items.dtype} and shape {self.items.shape} are "
                "neither columns nor a mask; pass integers or booleans in one row"
            )
        if kind == "i" and len(self.items) and self.items.min() < 0:
            raise InvalidRequest(f"a boost names column {self.items.min()}; columns start at 0")
        _require_span("boost", self.start, self.end)
        columns = np.flatnonzero(self.items) if kind == "b" else np.unique(self.items)
        object.__setattr__(self, "columns", columns.astype(np.int64))

    def active(self, now: datetime) -> bool:
        """Whether it counts now."""
        return self.start <= now < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """An item at a place.

    Attributes:
        item: its column.
        place: 1 is the first.
        start, end: it counts for ``start <= now < end``; with time zones.

    Raises:
        InvalidRequest: the item, the place or the times are wrong.
    """

    item: int
    place: int
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.place < 1:
            raise InvalidRequest(f"a pin at place {self.place}; the first place is 1")
        if self.item < 0:
            raise InvalidRequest(f"a pin of column {self.item}; columns start at 0")
        _require_span("pin", self.start, self.end)

    def active(self, now: datetime) -> bool:
        """Whether it counts now."""
        return self.start <= now < self.end


@dataclass(eq=False, slots=True)
class Ruled:
    """Scores under the rules of the moment; not changed once made.

    Attributes:
        scores: float32, shape (n_items,): to rank by; ``-inf`` for what is not allowed, and for
            pinned items, which have their place already.
        pins: (place, item) of the pins that count, by place.
    """

    scores: NDArray[np.float32]
    pins: tuple[tuple[int, int], ...] = ()

    def cut(self, ranked: NDArray[np.integer[Any]], k: int) -> NDArray[np.int64]:
        """The list: at most ``k`` columns, pins at their places, the others as ranked.

        A pin beyond the end of the list follows the others, if there is room: no place is empty,
        and no place is lost.

        Args:
            ranked: distinct columns by ``scores``, the best first (re-ranked or not), at least
                ``k`` of them where so many are allowed; -1 is passed over.
            k: at least 0.
        """
        others: list[int] = ranked[ranked >= 0][:k].tolist()
        length = min(k, len(others) + len(self.pins))
        held = {place: item for place, item in self.pins if place <= length}
        others += [item for place, item in self.pins if place > length]
        rest = iter(others)
        filled = [held[n] if n in held else next(rest) for n in range(1, length + 1)]
        return np.array(filled, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Rules:
    """All boosts and pins of a shop.

    Raises:
        InvalidRequest: at some time two pins would hold one place, or one item two places.
    """

    boosts: tuple[Boost, ...] = ()
    pins: tuple[Pin, ...] = ()

    def __post_init__(self) -> None:
        for one, other in combinations(self.pins, 2):
            together = one.start < other.end and other.start < one.end
            if together and (one.place == other.place or one.item == other.item):
                what = (
                    f"items {one.item} and {other.item} are both pinned at place {one.place}"
                    if one.place == other.place
                    else f"item {one.item} is pinned at places {one.place} and {other.place}"
                )
                since = max(one.start, other.start).isoformat()
                raise InvalidRequest(f"{what} from {since}; end one pin before the other starts")

    def apply(
        self,
        scores: NDArray[np.float32],
        allowed: NDArray[np.bool_],
        now: datetime,
        *,
        calibration: Calibration,
    ) -> Ruled:
        """What to rank, before anything is cut: boosts applied, all that may not be shown out.

        Args:
            scores: shape (n_items,), the model's; not written to.
            allowed: shape (n_items,): neither owned, hidden, filtered out nor below a bound.
            now: with its time zone.
            calibration: of these scores.

        Raises:
            InvalidRequest: the shapes differ, a rule names an item there is not, or ``now`` has no
                time zone.
        """
        if now.utcoffset() is None:
            raise InvalidRequest(f"{now} has no time zone; pass an aware time, such as UTC")
        if scores.ndim != 1 or scores.shape != allowed.shape:
            raise InvalidRequest(
                f"scores of shape {scores.shape} and a mask of {allowed.shape} do not fit; pass "
                "one of each an item"
            )
        pins = self._pins(allowed, now)
        shown = allowed
        if pins:
            shown = allowed.copy()
            shown[[item for _, item in pins]] = False
        ranked = np.where(shown, scores, np.float32(-np.inf))
        factors = self._factors(len(scores), now)
        if factors is not None:
            changed = np.flatnonzero(shown & (factors != 1.0))
            ranked[changed] = calibration.shifted(scores[changed], factors[changed])
        return Ruled(ranked, pins)

    def _factors(self, n_items: int, now: datetime) -> NDArray[np.float64] | None:
        """What each item's odds are multiplied by; None: nothing is boosted."""
        boosts = [boost for boost in self.boosts if boost.active(now)]
        if not boosts:
            return None
        factors = np.ones(n_items)
        for boost in boosts:
            is_mask = boost.items.dtype.kind == "b"
            if not (len(boost.items) == n_items if is_mask else _within(boost.columns, n_items)):
                raise InvalidRequest(
                    f"a boost's items do not fit a catalogue of {n_items}; make it for this one"
                )
            factors[boost.columns] *= boost.factor
        return factors

    def _pins(self, allowed: NDArray[np.bool_], now: datetime) -> tuple[tuple[int, int], ...]:
        active = [pin for pin in self.pins if pin.active(now)]
        if not all(pin.item < len(allowed) for pin in active):
            raise InvalidRequest(
                f"a pin's item does not fit a catalogue of {len(allowed)}; make it for this one"
            )
        return tuple(sorted((pin.place, pin.item) for pin in active if allowed[pin.item]))


def _within(columns: NDArray[np.int64], n_items: int) -> bool:
    """Whether rising columns are of a catalogue of this size."""
    return not len(columns) or bool(columns[-1] < n_items)


def _require_span(what: str, start: datetime, end: datetime) -> None:
    if start.utcoffset() is None or end.utcoffset() is None:
        raise InvalidRequest(
            f"a {what} from {start} to {end} lacks a time zone; add it, as in +00:00"
        )
    if not start < end:
        raise InvalidRequest(f"a {what} ends at {end}, before it starts at {start}; swap the two")
