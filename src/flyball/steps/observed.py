"""What a rollout showed so far, from windows and events as they come. In memory; no effects.

What is counted follows ``flyball.domain.judging``: each unit once, under the share that was in
force when it was answered. While workers are still applying a share, and in the warm-up after it,
only failures count: then a unit is the challenger's with that probability at most, so that an
alarm is as rare as promised, and a version that fails at once is found at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flyball.domain.deployment import Deployment
from flyball.domain.judging import Measure, Moments, Seen, Split, Worth
from flyball.domain.routing import TAGS, draw
from flyball.domain.traffic import Event, EventType, Window
from flyball.stats import latency

MOST_UNITS = 100_000
"""Units of a measure that are remembered; beyond it a lower share of all units is counted."""

SET_BACK = timedelta(seconds=5)
"""What is so much older than its rollout was answered under a clock that was set back."""

_MEASURES = {EventType.CLICK: Measure.CLICKED, EventType.PURCHASE: Measure.PURCHASED}


@dataclass(frozen=True, slots=True)
class Step:
    """The time of one share.

    Attributes:
        share: of the challenger.
        since: when it was recorded, UTC.
        settled: when every worker had applied it and its warm-up was over; None before.
        until: when the next one was recorded; None while it lasts.
    """

    share: float
    since: datetime
    settled: datetime | None
    until: datetime | None

    def holds(self, start: datetime, end: datetime) -> bool:
        """Whether a stretch lies within it."""
        return start >= self.since and (self.until is None or end <= self.until)

    def is_settled(self, start: datetime) -> bool:
        """Whether all that is answered from ``start`` on counts."""
        return self.settled is not None and start >= self.settled


def steps_of(deployment: Deployment, warm_up: timedelta) -> tuple[Step, ...]:
    """The times of a deployment's shares."""
    ends = [*(shift.at for shift in deployment.shifts[1:]), None]
    return tuple(
        Step(shift.share, shift.at, shift.applied_at and shift.applied_at + warm_up, end)
        for shift, end in zip(deployment.shifts, ends, strict=True)
    )


@dataclass(slots=True)
class _Arms:
    """Counts of the two versions in one step."""

    units: dict[Measure, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    worth: tuple[dict[int, float], dict[int, float]] = field(default_factory=lambda: ({}, {}))
    requests: int = 0
    settled: int = 0
    errors: int = 0
    latency: list[int] = field(default_factory=latency.empty)


class Observed:
    """Counts one rollout. Not thread-safe.

    Args:
        deployment: with the shares taken so far; ``follow`` takes a newer one.
        warm_up: time after a share was applied in which only failures count.
    """

    def __init__(self, deployment: Deployment, warm_up: timedelta) -> None:
        self.follow(deployment, warm_up)
        self._arms: dict[datetime, _Arms] = {}
        self._known: dict[Measure, set[int]] = {measure: set() for measure in Measure}
        self._below = dict.fromkeys(Measure, TAGS)
        self._buyers: dict[int, tuple[datetime, int]] = {}

    def follow(self, deployment: Deployment, warm_up: timedelta) -> None:
        """Go on with the deployment as it is now."""
        self._deployment = deployment
        self._steps = steps_of(deployment, warm_up)

    def add(self, windows: Iterable[Window]) -> None:
        """Take windows of either version, each once; those that a worker stored together, together.

        A busy worker keeps the lowest tags only. What it left out of one version's window is left
        out of the other's too, or the two could not be compared.
        """
        groups: dict[tuple[datetime, str], list[Window]] = defaultdict(list)
        for window in windows:
            if window.salt == self._deployment.id and self._side(window.version) is not None:
                groups[window.start, window.worker].append(window)
        for key in sorted(groups):
            self._count_group(groups[key])

    def add_events(self, events: Iterable[tuple[Event, str, datetime]]) -> None:
        """Take events, each with the version that gave its answer, and when it did.

        An event counts for the version that was drawn for its user, also where the other one stood
        in for it: what a version costs its users by failing is its own doing.
        """
        for event, version, at in events:
            step = self._step(at, at)
            if self._side(version) is None or step is None or not step.is_settled(at):
                continue
            drawn = draw(event.user_id, self._deployment.id)
            side = int(drawn.bucket < step.share)
            measure = _MEASURES.get(event.type)
            if measure is not None:
                self._count(measure, [drawn.tag], self._counts(step), side)
            if event.type is EventType.PURCHASE and event.value is not None:
                self._earn(drawn.tag, event.value, step, side)

    def seen(self, *, stopped: str = "") -> Seen:
        """Everything so far; ``stopped`` is handed on."""
        counted = [
            (step, self._arms[step.since]) for step in self._steps if step.since in self._arms
        ]
        current = self._steps[-1].share if self._steps else 0.0
        sides = [found for _, found in counted]
        return Seen(
            splits={m: _splits(counted, m) for m in Measure},
            worth=tuple(_worth(step, found) for step, found in counted if any(found.worth)),
            requests=sum(side.requests for side in sides),
            errors=sum(side.errors for side in sides),
            latency=tuple(latency.merge(*(side.latency for side in sides))),
            step_requests=sum(a.settled for step, a in counted if step.share == current),
            failed_units=sum(side.units[Measure.FAILED][1] for side in sides),
            stopped=stopped,
        )

    def _count_group(self, windows: Sequence[Window]) -> None:
        first = windows[0]
        step = self._step(first.start, first.start + timedelta(seconds=first.seconds))
        if step is None:
            return
        arms, settled = self._counts(step), step.is_settled(first.start)
        for measure in (Measure.SEEN, Measure.FAILED, Measure.SLOW):
            if not settled and measure is not Measure.FAILED:
                continue
            below = min(window.units_below.get(measure, TAGS) for window in windows)
            for window in windows:
                tags = (tag for tag in window.units.get(measure, ()) if tag < below)
                self._count(measure, tags, arms, self._side(window.version) or 0)
        for window in windows:
            if window.version == self._deployment.version:
                arms.requests += window.requests
                arms.errors += window.errors
                if settled:
                    arms.latency = latency.merge(arms.latency, window.latency)
                    arms.settled += window.requests

    def _count(self, measure: Measure, tags: Iterable[int], arms: _Arms, side: int) -> None:
        known = self._known[measure]
        for tag in tags:
            if tag < self._below[measure] and tag not in known:
                known.add(tag)
                arms.units[measure][side] += 1
        while (
            len(known) > MOST_UNITS
        ):  # tags say nothing of the version, so leaving some out is fair
            self._below[measure] //= 2
            self._known[measure] = known = {t for t in known if t < self._below[measure]}

    def _earn(self, tag: int, value: float, step: Step, side: int) -> None:
        """What a unit is worth counts in the step where it first was worth something."""
        if self._buyers.setdefault(tag, (step.since, side)) == (step.since, side):
            spent = self._counts(step).worth[side]
            spent[tag] = spent.get(tag, 0.0) + value

    def _side(self, version: str) -> int | None:
        """0: the champion, 1: the challenger."""
        sides = {self._deployment.replaces: 0, self._deployment.version: 1}
        return sides.get(version)

    def _step(self, start: datetime, end: datetime) -> Step | None:
        """The step that a stretch of this rollout lies in.

        From before the first one is what was answered after a clock was set back. It has the last
        share then, the largest so far, and only failures count, as in a warm-up.
        """
        if self._steps and start < self._steps[0].since - SET_BACK:
            return replace(self._steps[-1], settled=None)
        return next((step for step in self._steps if step.holds(start, end)), None)

    def _counts(self, step: Step) -> _Arms:
        return self._arms.setdefault(step.since, _Arms())


def _splits(counted: Sequence[tuple[Step, _Arms]], measure: Measure) -> tuple[Split, ...]:
    return tuple(
        Split(share=step.share, champion=arms.units[measure][0], challenger=arms.units[measure][1])
        for step, arms in counted
        if any(arms.units[measure])
    )


def _worth(step: Step, arms: _Arms) -> Worth:
    champion, challenger = (
        Moments(
            count=len(spent),
            total=sum(spent.values()),
            squares=sum(value * value for value in spent.values()),
        )
        for spent in arms.worth
    )
    return Worth(share=step.share, champion=champion, challenger=challenger)
