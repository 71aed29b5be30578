"""The pictures of a profile, as plain values for a template: places in pixels, texts for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from flyball.domain.text import many
from flyball.stats.sketches import Numbers
from flyball.stats.times import DAY, Times
from flyball.steps.profile import Correlation, histogram, moment

WIDTH, HEIGHT = 560, 120
BARS = 40
SPREAD = 50.0
"""Numbers of which the greatest exceeds the median by this factor are drawn on a log scale."""

_LONGEST = 120
_TICK_GAP = 90


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; ``tip`` says what it stands for."""

    x: float
    y: float
    width: float
    height: float
    tip: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A text under a place of the axis; ``anchor`` is SVG's."""

    x: float
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A row of bars.

    Attributes:
        caption: what the bars show.
        described: the same for who cannot see them.
    """

    caption: str
    described: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT


def number(value: float) -> str:
    """A number as a person reads it."""
    size = abs(value)
    if value == int(value) and size < 1e15:
        return f"{int(value):,}" if size >= 1e4 else str(int(value))  # without "," in a year
    return f"{value:,.0f}" if 1e4 <= size < 1e15 else f"{value:.4g}"


def rough(value: float) -> str:
    """A number that is known to two or three digits."""
    return number(float(f"{value:.3g}"))


def strength(value: float) -> str:
    """A correlation."""
    return f"{value:.2f}" if abs(value) >= 0.005 else "0.00"


def numbers_chart(numbers: Numbers, unit: str = "") -> Chart | None:
    """A histogram; on a log scale where a few numbers are far greater than most."""
    low, high, median = numbers.min, numbers.max, numbers.quantile(0.5)
    if low is None or high is None or median is None or not math.isfinite(high - low):
        return None
    suffix = f" {unit}" if unit else ""
    if low == high:
        return None
    if low >= 0.0 and high > SPREAD * max(median, high / 1e12):
        return _log_chart(numbers, high, suffix)
    edges = np.linspace(low, high, min(BARS, max(numbers.distinct or BARS, 2)) + 1)
    counts = histogram(numbers, edges)
    tips = [_between(a, b, suffix) for a, b in pairwise(edges)]
    labels = [(0.0, low), (0.5, (low + high) / 2), (1.0, high)]
    return Chart(
        caption="how many rows by value",
        described=f"Histogram from {number(low)} to {number(high)}{suffix}; median "
        f"{number(median)}{suffix}.",
        bars=_bars(counts, tips),
        ticks=tuple(_tick(share, number(value) + suffix) for share, value in labels),
    )


def _log_chart(numbers: Numbers, high: float, suffix: str) -> Chart:
    """The first bar is zero's, where there are zeros."""
    least = next(value for value in numbers.low if value > 0.0)
    edges = np.geomspace(least, high, BARS + 1)
    edges[0], edges[-1] = least, high
    zeros = int(numbers.up_to(0.0)) if numbers.low[0] == 0.0 else 0
    inner = np.rint(numbers.up_to(edges[1:-1], inclusive=False)).astype(np.int64)
    counts = np.diff(inner, prepend=zeros, append=numbers.count).tolist()
    tips = [_between(a, b, suffix) for a, b in pairwise(edges)]
    if zeros:
        counts, tips = [zeros, *counts], [f"0{suffix}", *tips]
    first = 1 / len(counts) if zeros else 0.0
    span = math.log(high / least)
    decades = range(math.ceil(math.log10(least) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    places = [(first + (1 - first) * math.log(10.0**d / least) / span, 10.0**d) for d in decades]
    return Chart(
        caption="how many rows by value, log scale" + ("; the first bar is zero" * bool(zeros)),
        described=f"Histogram on a log scale from {number(least)} to {number(high)}{suffix}, "
        f"and {zeros:,} zeros.",
        bars=_bars(counts, tips),
        ticks=_spaced([_tick(share, number(value) + suffix) for share, value in places]),
    )


def days_chart(times: Times) -> Chart | None:
    """How many rows by day, or by as many days as give a readable number of bars."""
    if not times.days:
        return None
    first, last = times.days[0] * times.width, (times.days[-1] + 1) * times.width
    step = max(times.width, math.ceil((last - first) / _LONGEST))
    counts = np.zeros(math.ceil((last - first) / step), dtype=np.int64)
    places = (np.asarray(times.days) * times.width - first) // step
    np.add.at(counts, places, np.asarray(times.sizes))
    starts = [_date((first + n * step) * DAY) for n in range(len(counts))]
    every = "day" if step == 1 else f"{step} days"
    ends = [(0.0, starts[0]), (0.5, starts[len(starts) // 2]), (1.0, _date((last - 1) * DAY))]
    return Chart(
        caption=f"how many rows every {every}",
        described=f"Rows every {every} from {ends[0][1]} to {ends[-1][1]}.",
        bars=_bars(counts.tolist(), starts),
        ticks=tuple(_tick(*end) for end in ends),
    )


def hours_chart(times: Times) -> Chart | None:
    """How many rows by hour of the day; None where times are dates only."""
    if not times.count or times.hours[0] == times.count:
        return None
    labels = [(0.0, "0 h"), (0.25, "6 h"), (0.5, "12 h"), (0.75, "18 h"), (1.0, "24 h")]
    busiest = int(np.argmax(times.hours))
    return Chart(
        caption="how many rows by hour of the day, UTC",
        described=f"Rows by hour of the day; most from {busiest} to {busiest + 1} h UTC.",
        bars=_bars(list(times.hours), [f"{hour} to {hour + 1} h" for hour in range(24)], 60),
        ticks=tuple(_tick(*label) for label in labels),
        height=60,
    )


def _bars(counts: Sequence[int], tips: Sequence[str], height: int = HEIGHT) -> tuple[Bar, ...]:
    most = max(counts) or 1
    width = WIDTH / len(counts)
    bars = []
    for place, (count, tip) in enumerate(zip(counts, tips, strict=True)):
        # What is there at all is seen, however little it is.
        tall = max(height * count / most, 1.5) if count else 0.0
        bars.append(
            Bar(
                x=round(place * width, 2),
                y=round(height - tall, 2),
                width=round(max(width - (1.0 if width > 3 else 0.25), 0.5), 2),
                height=round(tall, 2),
                tip=f"{tip}: {many(count, 'row')}",
            )
        )
    return tuple(bars)


def _tick(share: float, label: str) -> Tick:
    anchor = "start" if share < 0.05 else "end" if share > 0.95 else "middle"
    return Tick(round(share * WIDTH, 1), label, anchor)


def _spaced(ticks: Sequence[Tick]) -> tuple[Tick, ...]:
    """Ticks far enough apart to be read."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.x - kept[-1].x >= _TICK_GAP:
            kept.append(tick)
    return tuple(kept)


def _between(low: float, high: float, suffix: str) -> str:
    return f"{number(float(low))} to {number(float(high))}{suffix}"


def _date(microseconds: int) -> str:
    return moment(microseconds).date().isoformat()


@dataclass(frozen=True, slots=True)
class Heat:
    """A table of correlations.

    Attributes:
        names: the columns, heads of its rows and columns.
        cells: shape (n, n): the strength in [-1, 1], None where there is none; symmetric.
    """

    names: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]


def heat(correlations: Sequence[Correlation]) -> Heat | None:
    """The table of them; None where there is none."""
    known = {(c.first, c.second): c.value for c in correlations if c.value is not None}
    names = tuple(dict.fromkeys(name for pair in known for name in pair))
    cells = tuple(tuple(known.get((a, b), known.get((b, a))) for b in names) for a in names)
    return Heat(names, cells) if names else None
