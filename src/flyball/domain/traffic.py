"""Live traffic: the events that users send back, and windows of what was served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from hmac import compare_digest

from flyball.domain.names import VersionName
from flyball.errors import InvalidRequest


class EventType(StrEnum):
    """What a user did with a game."""

    IMPRESSION = "impression"
    CLICK = "click"
    PURCHASE = "purchase"
    PLAY = "play"
    DISLIKE = "dislike"


class Join(StrEnum):
    """What an event says of the answer that led to it."""

    JOINED = "joined"  # to one of our answers, in time
    ORPHAN = "orphan"  # an id that we never gave, or that was changed, or of the future
    LATE = "late"  # to one of our answers, too long ago
    UNATTRIBUTED = "unattributed"  # no id


AHEAD = timedelta(minutes=5)
"""How far clocks of our machines may differ: an answer from later than this is none of ours."""

JOIN_WITHIN = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME, _NONCE = 12, 22
"""Characters of an id until the end of its time, and of its nonce; its signature follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the id of an answer tells: which version gave it, and when (UTC)."""

    version: str
    at: datetime


class Answers:
    """Gives answers their ids and reads them again, on any worker, without looking anything up.

    An id is ``"<time><random><signature>.<version>"``: milliseconds since 1970 (12 hex digits), 10
    random hex digits, and 12 of a keyed BLAKE2b over both and the version. So nobody without the
    key can credit a version with what it did not earn. Thread-safe.

    Args:
        key: secret, 1 to 64 bytes; one a model, the same for all its workers.
        within: how long after an answer an event still counts for it.
    """

    def __init__(self, key: bytes, *, within: timedelta = JOIN_WITHIN) -> None:
        self.within = within
        self._keyed = blake2b(key=key, digest_size=6)

    def new(self, version: str, now_ms: int, random_hex: str) -> str:
        """The id of one answer.

        Args:
            version: which gave it.
            now_ms: milliseconds since 1970, before the year 10000.
            random_hex: 10 hex digits; no two answers of a millisecond may share them.
        """
        nonce = f"{now_ms:012x}{random_hex}"
        return f"{nonce}{self._signature(nonce, version)}.{version}"

    def read(self, answer_id: str) -> Answered | None:
        """What an id tells; None where it is not one of ours, or was changed."""
        head, _, version = answer_id.partition(".")
        nonce, signed = head[:_NONCE], head[_NONCE:].encode("utf-8", "surrogatepass")
        if not compare_digest(signed, self._signature(nonce, version).encode()):
            return None
        at_ms = int(nonce[:_TIME], 16)
        return Answered(version=version, at=_EPOCH + timedelta(milliseconds=at_ms))

    def join(self, answer_id: str, received_at: datetime) -> tuple[Join, str]:
        """Whether an event counts for an answer, and the version that gave it.

        Args:
            answer_id: as the event names it; empty where it names none.
            received_at: when the event reached us, UTC; what its sender says can't be relied on.
        """
        if not answer_id:
            return Join.UNATTRIBUTED, ""
        answered = self.read(answer_id)
        kind = self.kind(answered, received_at)
        return kind, answered.version if answered and kind is not Join.ORPHAN else ""

    def kind(self, answered: Answered | None, received_at: datetime) -> Join:
        """Whether an event counts for what ``read`` gave of the id that it names. See ``join``."""
        if answered is None or answered.at - received_at > AHEAD:
            return Join.ORPHAN
        return Join.LATE if received_at - answered.at > self.within else Join.JOINED

    def _signature(self, nonce: str, version: str) -> str:
        signed = self._keyed.copy()  # the key is in it already: half the work of a new one
        signed.update(f"{nonce}{version}".encode("utf-8", "surrogatepass"))
        return signed.hexdigest()


def claimed_version(answer_id: str) -> str | None:
    """The version that an answer's id names, unverified; None where it names none.

    For showing and tracing. What counts for a version goes through ``Answers.join``.
    """
    nonce, _, version = answer_id.partition(".")
    try:
        return str(VersionName.parse(version)) if nonce else None
    except InvalidRequest:
        return None


@dataclass(slots=True)
class Shown:
    """A list that was answered; never changed once made (not frozen: made on the hot path).

    Attributes:
        recommendation_id: of the answer.
        shown_at: milliseconds since 1970.
        model, version, variant: who answered.
        share: the probability that this user got this variant, in (0, 1].
        user_id: as the data knows them; empty where nobody was named.
        k: how many items were asked for.
        item_ids: the list, the best first.
        propensities: of each, the probability of being put at its place by this variant.
        fallback: who stood in for the variant; empty where it answered itself.
        filtered: whether the request left only some items.
        trace_id: of the distributed trace (W3C); empty where there is none.
    """

    recommendation_id: str
    shown_at: int
    model: str
    version: str
    variant: str
    share: float
    user_id: str
    k: int
    item_ids: Sequence[str]
    propensities: Sequence[float]
    fallback: str
    filtered: bool
    trace_id: str


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
        units: while a rollout is watched: tags (``routing.Draw``) of those whom this version
            answered (``"seen"``) and to whom something happened (``"failed"``, ``"slow"``), each
            once in the window, ascending. See ``domain.judging.Measure``.
        units_below: of each measure, the lists are complete for tags below this, and hold none
            from it on: a busy second keeps the lowest tags only. Absent: complete.
        salt: of the route under which the units were drawn; empty where none are kept.
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
    units: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    units_below: Mapping[str, int] = field(default_factory=dict)
    salt: str = ""


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
