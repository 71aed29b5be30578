"""Live traffic as series: windows of many workers merged by version and by stretch of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flyball.domain.traffic import Window, merged
from flyball.ports import Events
from flyball.stats.latency import quantile

POINTS = 60
"""Stretches that the time asked for is cut into."""

LATE_S = 30.0
"""Windows are stored within this, unless the database was away."""

ALL_AGAIN_S = 60.0
"""How often everything is read again, for windows that came later than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one version answered in one stretch.

    Attributes:
        start: UTC.
        seconds: its length; the last one of a series is as long as it has lasted so far.
        requests, errors: answers in all, and those with a status of 500 or above.
        p50_ms, p95_ms: quantiles of the latency; None without requests.
        feedback: events that its answers led to, by type.
    """

    start: datetime
    seconds: float
    requests: int = 0
    errors: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    feedback: dict[str, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTraffic:
    """One version's traffic: over the whole time, and point by point (silent ones included)."""

    version: str
    total: Point
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A model's live traffic from ``since`` to ``until``, in points of ``point_seconds``.

    Points begin at whole multiples of ``point_seconds``, so that a later answer has the same ones.
    """

    model: str
    since: datetime
    until: datetime
    point_seconds: float
    versions: tuple[VersionTraffic, ...]


def starts(until: datetime, minutes: int) -> list[datetime]:
    """The beginnings of the points that end with ``until``, the oldest first."""
    seconds = minutes * 60.0 / POINTS
    last = until.timestamp() // seconds * seconds
    return [
        datetime.fromtimestamp(last - seconds * back, UTC) for back in range(POINTS - 1, -1, -1)
    ]


def series(model: str, windows: Iterable[Window], *, until: datetime, minutes: int) -> Traffic:
    """Windows as series by version, the versions by their first request.

    Args:
        windows: of ``model``; those outside the time are left out.
        until: the end, UTC.
        minutes: how far back, at least 1.
    """
    begins, seconds = starts(until, minutes), minutes * 60.0 / POINTS
    found: dict[str, dict[int, list[Window]]] = {}
    for window in sorted(windows, key=lambda w: w.start):
        place = int((window.start - begins[0]).total_seconds() // seconds)
        if 0 <= place < POINTS and window.start <= until:
            found.setdefault(window.version, defaultdict(list))[place].append(window)
    lengths = [min(seconds, (until - begin).total_seconds()) for begin in begins]
    return Traffic(
        model=model,
        since=begins[0],
        until=until,
        point_seconds=seconds,
        versions=tuple(
            VersionTraffic(
                version=version,
                total=_point(
                    begins[0],
                    (until - begins[0]).total_seconds(),
                    [window for items in places.values() for window in items],
                ),
                points=tuple(
                    _point(begin, lengths[place], places.get(place, []))
                    for place, begin in enumerate(begins)
                ),
            )
            for version, places in found.items()
        ),
    )


def _point(start: datetime, seconds: float, windows: list[Window]) -> Point:
    whole = merged(windows)
    if whole is None:
        return Point(start=start, seconds=seconds)
    return Point(
        start=start,
        seconds=seconds,
        requests=whole.requests,
        errors=whole.errors,
        p50_ms=_ms(quantile(whole.latency, 0.5)),
        p95_ms=_ms(quantile(whole.latency, 0.95)),
        feedback=dict(sorted(whole.feedback.items())),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000.0, 3)


def read(events: Events, model: str, *, until: datetime, minutes: int) -> Traffic:
    """A model's live traffic of the last ``minutes``."""
    windows = events.windows(model, since=starts(until, minutes)[0])
    return series(model, windows, until=until, minutes=minutes)


class Follower:
    """Reads the same as ``read`` again and again, and of the database only what is new.

    Not thread-safe: one caller at a time.
    """

    def __init__(self, events: Events, model: str, *, minutes: int) -> None:
        self._events, self._model, self._minutes = events, model, minutes
        self._settled: list[Window] = []
        self._since: datetime | None = None
        self._all_at: datetime | None = None

    def read(self, until: datetime) -> Traffic:
        """The traffic up to now."""
        first = starts(until, self._minutes)[0]
        if self._all_at is None or (until - self._all_at).total_seconds() >= ALL_AGAIN_S:
            self._settled, self._since, self._all_at = [], first, until
        assert self._since is not None
        fresh = self._events.windows(self._model, since=max(first, self._since))
        traffic = series(self._model, [*self._settled, *fresh], until=until, minutes=self._minutes)
        self._settle(fresh, until - timedelta(seconds=LATE_S), first)
        return traffic

    def _settle(self, fresh: list[Window], before: datetime, first: datetime) -> None:
        assert self._since is not None
        kept = [window for window in self._settled if window.start >= first]
        self._settled = [*kept, *(window for window in fresh if window.start < before)]
        self._since = max(self._since, before)
