"""A drill: a rollback is rehearsed on the live system, there and back, and measured.

``rehearsal`` moves the records; this waits for the workers, asks them, and counts what failed
meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from flyball.domain.deployment import applied
from flyball.domain.routing import Route, WorkerStatus
from flyball.domain.text import many
from flyball.domain.traffic import Window
from flyball.domain.validation import Verdict
from flyball.errors import DeploymentError, StaleWrite
from flyball.steps import rehearsal
from flyball.steps.desk import Desk

APPLY_WITHIN_S = 5.0
"""How long workers may take to apply either switch, before the drill goes on without them."""

AT_MOST = timedelta(seconds=10)
"""After this a rehearsal may be ended by anybody: it takes less, or whoever began it is gone."""

COUNT_WITHIN_S = 4.0
"""How long the windows of the last second may take to be stored."""

LOOK_EVERY_S = 0.02

Wait = Callable[[float], object]
"""Returns after so many seconds."""

Asked = Callable[[str, Collection[str]], Mapping[str, str]]
"""(URL of a server, its workers) -> the version that each says it serves; who is not asked lacks.

Several workers answer at one URL: which of them is asked is up to the kernel.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One switch of a drill.

    Attributes:
        version: which was to serve.
        seconds: from before the record to the last worker's acknowledgement; None where not all
            did in time.
        confirmed: workers whose health page says that this version serves.
        contradicted: workers whose health page says another.
    """

    version: str
    seconds: float | None
    confirmed: tuple[str, ...]
    contradicted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What a rehearsed rollback came to.

    Attributes:
        model: which.
        at: when it began, UTC.
        workers: how many there were.
        there, back: to the version that stands by, and back to the one that served.
        requests, failed: answers of the model while it lasted, to the second, and those with a
            status of 500 or above.
        within_s: how long a switch may take.
        shortfalls: what was not as promised, in words; empty where all was.
    """

    model: str
    at: datetime
    workers: int
    there: Leg
    back: Leg
    requests: int
    failed: int
    within_s: float
    shortfalls: tuple[str, ...]


def rehearse(desk: Desk, model: str, *, within_s: float, asked: Asked, wait: Wait) -> Drill:
    """Switch to the version that stands by, look, switch back, and record what was measured.

    Whatever happens meanwhile, the version that served serves again: this sees to it, or if it is
    killed the controller, or whoever next moves the route.

    Args:
        within_s: how long a switch may take to be called good.
        asked: asks workers which version they serve.
        wait: passes time.

    Raises:
        DeploymentError: it cannot be rehearsed now, or something real cut it short.
        StaleWrite: somebody else moved the route at the same moment.
    """
    began = desk.clock.now()
    away = rehearsal.begin(desk, model, until=began + AT_MOST)
    champion = away.restored().champion or ""
    try:
        there = _leg(desk, away, began, asked, wait)
    finally:
        ended = desk.clock.now()
        mine = _end(desk, model, away)
    if not mine:
        raise DeploymentError(
            f"{model}: the rehearsal was cut short, because something real moved the route; see "
            f"`flyball ledger --model {model}` for what, and try again later"
        )
    back = _leg(desk, desk.route(model), ended, asked, wait)
    counted = _counted(desk, model, began, desk.clock.now(), wait)
    legs = there, back
    drill = _summed(desk, model, began=began, legs=legs, counted=counted, within_s=within_s)
    rehearsal.record(desk, model, champion=champion, reason=reason_of(drill))
    return drill


def _end(desk: Desk, model: str, away: Route) -> bool:
    """Switch back; whether that was ours to do."""
    if desk.route(model) != away:
        return False
    with suppress(StaleWrite):
        rehearsal.end(desk, model, reason=f"{rehearsal.ENDED}the rehearsal of a rollback is over")
        return True
    return False


def _leg(desk: Desk, route: Route, began: datetime, asked: Asked, wait: Wait) -> Leg:
    """Wait until every worker has applied a route that was recorded just now, and ask them."""
    seconds: float | None = None
    waited = 0.0
    while seconds is None and waited <= APPLY_WITHIN_S:
        done = applied(route, desk.target.workers())[0] is Verdict.PASS
        waited = (desk.clock.now() - began).total_seconds()
        if done:
            seconds = waited
        else:
            wait(LOOK_EVERY_S)
    version = route.champion or ""
    said: dict[str, str] = {}
    if seconds is not None:
        for url, workers in _by_url(desk.target.workers()).items():
            said |= asked(url, workers)
    return Leg(
        version=version,
        seconds=seconds,
        confirmed=tuple(sorted(worker for worker, one in said.items() if one == version)),
        contradicted=tuple(sorted(worker for worker, one in said.items() if one != version)),
    )


def _by_url(workers: Collection[WorkerStatus]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for worker in workers:
        found.setdefault(worker.url, []).append(worker.worker)
    return found


def _counted(
    desk: Desk, model: str, began: datetime, ended: datetime, wait: Wait
) -> tuple[int, int]:
    """Answers between two times, and those that failed, once the windows of the end are stored."""
    since, until = datetime.fromtimestamp(math.floor(began.timestamp()), began.tzinfo), ended
    while True:
        seen = desk.events.windows(model, since=since)
        late = (desk.clock.now() - ended).total_seconds() > COUNT_WITHIN_S
        if late or _complete(seen, until):
            break
        wait(LOOK_EVERY_S)
    ours = [window for window in seen if window.start <= until]
    return sum(window.requests for window in ours), sum(window.errors for window in ours)


def _complete(windows: Collection[Window], until: datetime) -> bool:
    """Whether each worker that answered has stored a window from after that time."""
    newest: dict[str, datetime] = {}
    for window in windows:
        newest[window.worker] = max(window.start, newest.get(window.worker, window.start))
    return bool(newest) and all(start > until for start in newest.values())


def _summed(
    desk: Desk,
    model: str,
    *,
    began: datetime,
    legs: tuple[Leg, Leg],
    counted: tuple[int, int],
    within_s: float,
) -> Drill:
    requests, failed = counted
    workers = len(desk.target.workers())
    short = [said for leg in legs for said in _shortfalls(leg, within_s)]
    if failed:
        short.append(f"{failed:,} of {many(requests, 'request')} failed meanwhile")
    there, back = legs
    return Drill(
        model=model,
        at=began,
        workers=workers,
        there=there,
        back=back,
        requests=requests,
        failed=failed,
        within_s=within_s,
        shortfalls=tuple(short),
    )


def _shortfalls(leg: Leg, within_s: float) -> list[str]:
    found = []
    if leg.seconds is None:
        found.append(f"not every worker served {leg.version} within {APPLY_WITHIN_S:g} s")
    elif leg.seconds > within_s:
        found.append(
            f"it took {leg.seconds:.2f} s until every worker served {leg.version}, and "
            f"{within_s:g} s are allowed"
        )
    if leg.contradicted:
        found.append(f"{', '.join(leg.contradicted)} served something else than {leg.version}")
    elif leg.seconds is not None and not leg.confirmed:
        found.append(
            f"no worker's health page confirmed {leg.version}; where callers need credentials, "
            "set FLYBALL_API_KEY"
        )
    return found


def reason_of(drill: Drill) -> str:
    """What the ledger says of it: the figures, and what fell short."""
    begin = rehearsal.FELL_SHORT if drill.shortfalls else rehearsal.MEASURED
    there, back = (f"{s:.3f} s" if s is not None else "too long" for s in _seconds(drill))
    figures = (
        f"{drill.back.version} -> {drill.there.version} in {there}, back in {back}, on "
        f"{many(drill.workers, 'worker')}; {drill.failed:,} of {many(drill.requests, 'request')} "
        "failed meanwhile"
    )
    return begin + "; ".join([figures, *drill.shortfalls])


def _seconds(drill: Drill) -> tuple[float | None, float | None]:
    return drill.there.seconds, drill.back.seconds
