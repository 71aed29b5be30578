"""Live traffic: the events that users send back, and windows of what was served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from flyball.domain.names import VersionName
from flyball.domain.validation import Verdict
from flyball.errors import InvalidRequest


class EventType(StrEnum):
    """What a user did with a game."""

    IMPRESSION = "impression"
    CLICK = "click"
    PURCHASE = "purchase"
    PLAY = "play"
    DISLIKE = "dislike"


def answer_id(version: str, nonce: str) -> str:
    """The id of one answer: it says which version gave it. ``nonce`` is unique, hex digits."""
    return f"{nonce}.{version}"


def answered_by(answer: str) -> str | None:
    """The version named in an answer's id, or None where the id is not one of ours."""
    nonce, _, version = answer.partition(".")
    try:
        return str(VersionName.parse(version)) if nonce else None
    except InvalidRequest:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing a user did. ``event_id`` makes sending it twice harmless.

    Attributes:
        event_id: the sender's id, at most 128 characters.
        model: whose answer it concerns.
        type: what was done.
        user_id, item_id: who and with what.
        recommendation_id: the answer that led to it; empty where none did.
        value: price paid in USD, or hours played; None where it has no value.
        timestamp: when it happened, UTC.
        received_at: when it reached Flyball, UTC.
    """

    event_id: str
    model: str
    type: EventType
    user_id: str
    item_id: str
    timestamp: datetime
    received_at: datetime
    recommendation_id: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Counts and a latency histogram of one stretch of live traffic of one version; mergeable.

    Attributes:
        model, version: what answered (version is the name, without the model).
        worker: who counted; empty once merged over several.
        start: UTC.
        seconds: the stretch's length.
        requests, errors: answers in all, and those with a status of 500 or above.
        latency: counts by the buckets of ``flyball.stats.latency``; sums to ``requests``.
        feedback: events joined to this version, by type.
    """

    model: str
    version: str
    worker: str
    start: datetime
    seconds: float
    requests: int
    errors: int
    latency: tuple[int, ...]
    feedback: Mapping[str, int] = field(default_factory=dict)


def merged(windows: Iterable[Window]) -> Window | None:
    """One window over all of them (same model and version), or None for none at all."""
    items = sorted(windows, key=lambda window: window.start)
    if not items:
        return None
    feedback: dict[str, int] = {}
    for window in items:
        for name, count in window.feedback.items():
            feedback[name] = feedback.get(name, 0) + count
    first, last = items[0], max(items, key=lambda w: w.start.timestamp() + w.seconds)
    workers = {window.worker for window in items}
    return Window(
        model=first.model,
        version=first.version,
        worker=workers.pop() if len(workers) == 1 else "",
        start=first.start,
        seconds=(last.start - first.start).total_seconds() + last.seconds,
        requests=sum(window.requests for window in items),
        errors=sum(window.errors for window in items),
        latency=tuple(map(sum, zip(*(window.latency for window in items), strict=True))),
        feedback=feedback,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """When a version that serves all traffic counts as healthy at the end of its bake.

    Attributes:
        min_requests: fewer answers than this are no evidence.
        max_error_share: more failed answers than this are degraded, in [0, 1].
    """

    min_requests: int
    max_error_share: float


def judge_health(window: Window | None, policy: HealthPolicy) -> tuple[Verdict, str]:
    """Whether a served stretch was healthy, and why; too little traffic is inconclusive."""
    if window is None or window.requests < max(1, policy.min_requests):
        seen = 0 if window is None else window.requests
        return Verdict.INCONCLUSIVE, f"{seen} of the {policy.min_requests} requests needed"
    share = window.errors / window.requests
    verdict = Verdict.FAIL if share > policy.max_error_share else Verdict.PASS
    return verdict, (
        f"{window.errors} of {window.requests} requests failed "
        f"({share:.2%}; at most {policy.max_error_share:.2%} allowed)"
    )
