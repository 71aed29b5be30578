"""What the users of an A/B test did, by user: from the lists that were shown, and the events."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from flyball.domain.ab_test import AbLook, AbTest, Metric, Per
from flyball.domain.routing import Variant
from flyball.domain.traffic import AHEAD, Answers, Event, EventType, Join
from flyball.ports import Events, ServedLists
from flyball.stats.experiments.cuped import Arm, difference

if TYPE_CHECKING:
    import polars as pl

KNOWN_FOR = timedelta(days=28)
"""How long before a test what users did says something of them."""

LEAST_USERS = 100
"""Of each version, before a look is judged: the normal law holds from there on."""

LEAST_HAPPENED = 30
"""Users with anything to count, of both versions together."""

SPLIT_ALPHA = 0.001
"""A split that is as far off by chance in one of a thousand tests is suspect (Fabijan et al.,
"Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019)."""

_COUNTED = (EventType.CLICK.value, EventType.PURCHASE.value)
_PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the numbers come from.

    Attributes:
        served: lists that were shown.
        kept: how long they are kept.
        events: what users did.
        answers: reads the ids of answers.
    """

    served: ServedLists
    kept: timedelta
    events: Events
    answers: Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Both arms; a user is one row of one of them."""

    a: Arm | None
    b: Arm | None
    users_a: int
    users_b: int
    happened: int


def look(test: AbTest, number: int, sources: Sources) -> AbLook:
    """One look, from what was received until it was due: the same whenever it is worked out.

    Raises:
        StorageUnavailable: lists or events cannot be read.
    """
    until = test.due_at(number)
    users = counted(test, since=test.began_at, until=until, sources=sources)
    found = None if users.a is None or users.b is None else difference(users.a, users.b)
    return AbLook(
        test=test.id,
        number=number,
        at=until,
        users_a=users.users_a,
        users_b=users.users_b,
        a=found.a if found else 0.0,
        b=found.b if found else 0.0,
        difference=found.value if found else 0.0,
        error=found.error if found else 0.0,
        reduction=found.reduction if found else 0.0,
        happened=users.happened,
        too_little=_too_little(users),
        suspect=_suspect(test, users),
    )


def counted(test: AbTest, *, since: datetime, until: datetime, sources: Sources) -> Users:
    """All users who were shown a list from ``since`` to ``until``, and what they did until then."""
    import polars as pl

    from flyball.steps.shown import events_frame, join

    lists = sources.served.read(test.model, since=since, until=until).filter(
        pl.col("user_id") != ""
    )
    told = events_frame(list(joined_events(test.model, since, until, sources)))
    happened = (
        join(lists, told)
        .group_by("user_id")
        .agg(
            pl.len().alias("items"),
            pl.col("clicked").sum().cast(pl.Float64).alias(Metric.CLICKS.value),
            pl.col("purchased").sum().cast(pl.Float64).alias(Metric.PURCHASES.value),
            pl.col("value").fill_null(0.0).sum().alias(Metric.VALUE.value),
        )
        .sort("user_id")
    )
    before = _before(test, set(happened["user_id"].to_list()), sources)
    return _divided(test, happened, before)


def _divided(test: AbTest, users: pl.DataFrame, before: dict[str, np.ndarray]) -> Users:
    names = users["user_id"].to_list()
    ours = np.array([test.arm(user) is Variant.CHALLENGER for user in names], dtype=bool)
    worth = users[test.metric.value].to_numpy().astype(float)
    items = users["items"].to_numpy().astype(float)
    known = np.array([before.get(user, _UNKNOWN) for user in names]).reshape(len(names), 4)
    arms = []
    for which in (~ours, ours):
        chances = items[which] if test.per is Per.ITEM else None
        enough = int(which.sum()) >= 2
        arms.append(Arm(worth[which], chances, known[which]) if enough else None)
    return Users(
        a=arms[0],
        b=arms[1],
        users_a=int((~ours).sum()),
        users_b=int(ours.sum()),
        happened=int((worth > 0).sum()),
    )


_UNKNOWN = np.array([0.0, 0.0, 0.0, 1.0])


def _before(test: AbTest, users: set[str], sources: Sources) -> dict[str, np.ndarray]:
    """What was known of users before the rollout: logs of counts and of value, and "is new" 0.

    Received before its first traffic; so the test itself can have no part in it.
    """
    since, sums = test.known_before - KNOWN_FOR, dict[str, np.ndarray]()
    for event in received(test.model, since, test.known_before, sources.events):
        if event.user_id in users:
            row = sums.setdefault(event.user_id, np.zeros(3))
            row[0 if event.type is EventType.CLICK else 1] += 1.0
            row[2] += max(event.value or 0.0, 0.0) if event.type is EventType.PURCHASE else 0.0
    return {user: np.append(np.log1p(row), 0.0) for user, row in sums.items()}


def joined_events(
    model: str, since: datetime, until: datetime, sources: Sources
) -> Iterator[Event]:
    """Clicks and purchases on answers of that time, received by the end of it."""
    for event in received(model, since - AHEAD, until, sources.events):
        answered = sources.answers.read(event.recommendation_id)
        joined = sources.answers.kind(answered, event.received_at) is Join.JOINED
        if joined and answered is not None and since <= answered.at < until:
            yield event


def received(
    model: str,
    since: datetime | None,
    until: datetime,
    events: Events,
    kinds: Sequence[str] = _COUNTED,
) -> Iterator[Event]:
    """A model's events of these kinds from ``since`` (None: the first) to ``until`` (excluded)."""
    cursor = 0 if since is None else events.before(since)
    while True:
        page, after = events.after(cursor, limit=_PAGE, model=model, types=kinds)
        for event in page:
            if (since is None or since <= event.received_at) and event.received_at < until:
                yield event
        if len(page) < _PAGE:
            return
        cursor = after


def _too_little(users: Users) -> str:
    if min(users.users_a, users.users_b) < LEAST_USERS:
        return (
            f"{users.users_a} and {users.users_b} users; {LEAST_USERS} of each version are needed"
        )
    if users.happened < LEAST_HAPPENED:
        return f"{users.happened} users did anything that counts; {LEAST_HAPPENED} are needed"
    return ""


def _suspect(test: AbTest, users: Users) -> str:
    """Whether as many users came to each version as were drawn: a test of the share."""
    total = users.users_a + users.users_b
    expected = total * test.share
    spread = math.sqrt(expected * (1.0 - test.share))
    off = abs(users.users_b - expected) / spread if spread else 0.0
    if math.erfc(off / math.sqrt(2.0)) >= SPLIT_ALPHA:
        return ""
    return (
        f"{users.users_b} of {total} users are B's where {expected:.0f} were to be expected: "
        "the versions lose or draw users unequally, or lists are missing"
    )
