"""What the recorded traffic of a model is like: how much, how good, and by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import exp, log
from statistics import NormalDist

from flyball.domain.traffic import Answers, Event, EventType, Join, Window
from flyball.ports import Events, ServedLists
from flyball.stats import latency
from flyball.stats.sequential.crowd import Crowd, crowd

STRETCHES = (timedelta(hours=1), timedelta(hours=6))
"""Where the latest of these had enough answers, nothing older is looked at."""

ENOUGH_ANSWERS, ENOUGH = 10_000, 50_000
"""Answers, and lists or events: what reading them costs; rates are known well from so many."""

FAILED, CLICKED, BOUGHT = 0.002, 0.05, 0.005
"""Shares of answers that fail, are clicked on, or lead to a purchase, where nothing is known."""

MEDIAN_S, SPREAD = 0.02, 0.5
"""Latency where nothing is known: its median, and the standard deviation of its logarithm."""

NORMAL_95 = NormalDist().inv_cdf(0.95)

_PAGE = 10_000
_COUNTED = (EventType.CLICK, EventType.PURCHASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Traffic as it was recorded.

    Attributes:
        since, until: what it was learnt from, UTC; equal where nothing was recorded.
        requests, errors: answers, and those that failed.
        latency: the histogram of the answers (``flyball.stats.latency``).
        asking: how often each unit asks.
        clicking, buying: how often each unit clicks on, or buys, what an answer offered.
        lists, events: how many shown lists and events told who asks, clicks and buys.
        assumed: sentences on what was not recorded, and what was taken instead.
    """

    since: datetime
    until: datetime
    requests: int = 0
    errors: int = 0
    latency: tuple[int, ...] = field(default_factory=lambda: tuple(latency.empty()))
    asking: Crowd = field(default_factory=Crowd)
    clicking: Crowd = field(default_factory=Crowd)
    buying: Crowd = field(default_factory=Crowd)
    lists: int = 0
    events: int = 0
    assumed: tuple[str, ...] = ()

    @property
    def error_share(self) -> float:
        """Of the answers, those that fail: (errors + 1/2) / (requests + 1).

        Above 0 also where none failed: of nobody is it known that they never fail.
        """
        return (self.errors + 0.5) / (self.requests + 1) if self.requests else FAILED


def habits(
    model: str,
    *,
    now: datetime,
    within: timedelta,
    events: Events,
    served: ServedLists,
    answers: Answers,
) -> Habits:
    """What was recorded of a model's traffic of late.

    Reads no more than it takes to know the rates: of a busy model the last hour or hours, and of
    lists and events the last ``ENOUGH`` or so.

    Args:
        within: how far back to look at most.

    Raises:
        StorageUnavailable: windows, lists or events cannot be read.
    """
    windows = _windows(model, events, now=now, within=within)
    asked = sum(window.requests for window in windows)
    if not asked:
        return Habits(since=now, until=now)
    since = min(window.start for window in windows)
    until = max(window.start + timedelta(seconds=window.seconds) for window in windows)
    seconds = (until - since).total_seconds()
    told = sum(window.feedback.get(kind, 0) for window in windows for kind in _COUNTED)
    asking, lists, unknown = _asking(
        served, model, since=_enough(asked, since, until), until=until, rate=asked / seconds
    )
    clicking, buying, counted = _reacting(
        events, answers, model, since=_enough(told, since, until), until=until
    )
    return Habits(
        since=since,
        until=until,
        requests=asked,
        errors=sum(window.errors for window in windows),
        latency=tuple(latency.merge(*(window.latency for window in windows))),
        asking=asking,
        clicking=clicking,
        buying=buying,
        lists=lists,
        events=counted,
        assumed=unknown,
    )


def _windows(model: str, events: Events, *, now: datetime, within: timedelta) -> Sequence[Window]:
    for stretch in STRETCHES:
        if stretch < within:
            found = events.windows(model, since=now - stretch)
            if sum(window.requests for window in found) >= ENOUGH_ANSWERS:
                return found
    return events.windows(model, since=now - within)


def _enough(count: int, since: datetime, until: datetime) -> datetime:
    """From when on about ``ENOUGH`` of so many things that lie between two times are left."""
    if count <= ENOUGH:
        return since
    return until - (until - since) * (ENOUGH / count)


def _asking(
    served: ServedLists, model: str, *, since: datetime, until: datetime, rate: float
) -> tuple[Crowd, int, tuple[str, ...]]:
    """Who asks how often, so that all ask ``rate`` times a second together."""
    users = served.read(model, since=since, until=until).get_column("user_id")
    named = users.filter(users != "")
    if not len(users):
        alone = "who asks is not recorded: each request is taken for that of another user"
        return Crowd(fresh=rate), 0, (alone,)
    found = crowd(
        named.value_counts().get_column("count").to_list(),
        seconds=(until - since).total_seconds(),
        fresh=len(users) - len(named),
    )
    return found.grown(rate / found.per_second), len(users), ()


def _reacting(
    events: Events, answers: Answers, model: str, *, since: datetime, until: datetime
) -> tuple[Crowd, Crowd, int]:
    """Who clicks and who buys how often after an answer of ours; and how many events told so."""
    by: dict[EventType, Counter[str]] = {kind: Counter() for kind in _COUNTED}
    for event in _events(events, model, since=since):
        joined = answers.join(event.recommendation_id, event.received_at)[0] is Join.JOINED
        if joined and since <= event.received_at < until:
            by[event.type][event.user_id or event.recommendation_id] += 1
    seconds = (until - since).total_seconds()
    clicking, buying = (crowd(by[kind].values(), seconds=seconds) for kind in _COUNTED)
    return clicking, buying, sum(map(Counter.total, by.values()))


def _events(events: Events, model: str, *, since: datetime) -> Iterator[Event]:
    cursor, size = events.before(since), _PAGE
    while size == _PAGE:
        page, cursor = events.after(cursor, limit=_PAGE, model=model, types=_COUNTED)
        size = len(page)
        yield from page


def scaled(known: Habits, requests_per_second: float) -> Habits:
    """The same habits of more or fewer users; where nothing was recorded, of typical ones.

    Args:
        requests_per_second: how many there are to be in all, above 0.
    """
    asked = f"{requests_per_second:g} requests/s, as asked for"
    if known.requests:
        factor = requests_per_second / known.asking.per_second
        return replace(
            known,
            asking=known.asking.grown(factor),
            clicking=known.clicking.grown(factor),
            buying=known.buying.grown(factor),
            assumed=(*known.assumed, f"{asked}: as many more users with the recorded habits"),
        )
    return replace(
        known,
        latency=_typical_latency(),
        asking=Crowd(fresh=requests_per_second),
        clicking=Crowd(fresh=requests_per_second * CLICKED),
        buying=Crowd(fresh=requests_per_second * BOUGHT),
        assumed=(
            f"{asked}: each of another user",
            f"{FAILED:.1%} of the answers fail, {CLICKED:.0%} are clicked on and {BOUGHT:.1%} lead "
            "to a purchase: nothing was recorded",
            f"answers take {MEDIAN_S * 1000:g} ms at the median, and 95 of 100 at most "
            f"{MEDIAN_S * exp(SPREAD * NORMAL_95) * 1000:.0f} ms: nothing was recorded",
        ),
    )


def _typical_latency() -> tuple[int, ...]:
    """A log-normal histogram of a hundred thousand answers."""
    many_answers, sure = 100_000, NormalDist(log(MEDIAN_S), SPREAD)
    below = [0.0, *(sure.cdf(log(bound)) for bound in latency.BOUNDS), 1.0]
    return tuple(round(many_answers * (b - a)) for a, b in pairwise(below))
