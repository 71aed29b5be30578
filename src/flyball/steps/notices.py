"""What people are told, worked out from the ledger: pure, so that nothing is lost in a crash.

The ledger is append-only. Whoever tells remembers the last row that was told, and goes on there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from flyball.domain.deployment import WAITS
from flyball.domain.ledger import Entry, LedgerRow
from flyball.domain.lifecycle import State
from flyball.domain.notices import Notice, Urgency
from flyball.domain.text import many
from flyball.steps.rehearsal import CUT_OFF, FELL_SHORT, MEASURED

OLD = timedelta(hours=1)
"""What happened longer ago than this is no news any more: it is told together."""

BURST = 10
"""More than so many notices at once are told together, too."""

LINES = 30
"""Of one notice that tells many things."""

CONTROLLER = "controller"
"""Who acts by itself; anybody else in the ledger is a person, or acts for one."""

VersionOf = Callable[[str], str]
"""The version that a deployment (by its id) is about; empty where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A notice to be delivered, and the row of the ledger up to which all is told with it."""

    notice: Notice
    row: int


class _Said(NamedTuple):
    title: str
    text: str
    urgency: Urgency


def due(
    rows: Sequence[LedgerRow], *, now: datetime, first: bool, version_of: VersionOf
) -> list[Due]:
    """What is to be told of these rows, in order.

    After a long silence, old things are told together, and many things at once are, too.

    Args:
        rows: those that were not told yet, by rising ``seq``.
        first: nobody was told anything yet: what is old then was never meant for anybody.
        version_of: names the version of a deployment.
    """
    found = [
        Due(notice=notice, row=row.seq) for row in rows if (notice := notice_of(row, version_of))
    ]
    if first:
        found = [one for one in found if now - one.notice.at <= OLD]
    cut = max((i for i, one in enumerate(found, 1) if now - one.notice.at > OLD), default=0)
    fresh = found[cut:]
    return [*_together(found[:cut], now), *(_together(fresh, now) if len(fresh) > BURST else fresh)]


def _together(found: Sequence[Due], now: datetime) -> list[Due]:
    """One notice of them all; a single one stays as it is."""
    if len(found) < 2:
        return list(found)
    notices, last = [one.notice for one in found], found[-1]
    models = sorted({notice.model for notice in notices})
    lines = [f"{notice.at:%Y-%m-%d %H:%M} UTC: {notice.title}" for notice in notices[-LINES:]]
    if len(notices) > LINES:
        lines.insert(0, f"{len(notices) - LINES} earlier ones are left out here.")
    urgent = next(u for u in Urgency if any(notice.urgency is u for notice in notices))
    return [
        Due(
            row=last.row,
            notice=Notice(
                id=f"{last.notice.id} and {len(notices) - 1} before",
                at=now,
                model=", ".join(models),
                title=f"{many(len(notices), 'thing')} happened since the last notice",
                text="\n".join([*lines, "", "`flyball ledger` tells all of it."]),
                urgency=urgent,
            ),
        )
    ]


def notice_of(row: LedgerRow, version_of: VersionOf = lambda _: "") -> Notice | None:
    """What people are told of a row of the ledger; None where it is not for them."""
    entry = row.entry
    about = _OF.get(entry.action)
    said = about(entry, version_of(entry.subject)) if about else None
    if said is None:
        return None
    by = "by itself" if entry.actor == CONTROLLER else f"by {entry.actor}"
    text = f"{said.text}\n\nDone {by} at {entry.at:%Y-%m-%d %H:%M:%S} UTC; ledger row {row.seq}."
    return Notice(
        id=f"ledger row {row.seq}: {entry.subject}",
        at=entry.at,
        model=entry.model,
        title=said.title,
        text=text,
        urgency=said.urgency,
    )


def _number(version: str) -> str:
    """A version's number, which is enough to name it in one line."""
    return version.partition("-")[0]


def _what(entry: Entry, version: str) -> str:
    """The version that a row is about, or else its deployment."""
    return version or f"of rollout {entry.subject}"


def _routed(entry: Entry, _version: str) -> _Said:
    model, after = entry.model, entry.after
    if not entry.reason.startswith("rollback: "):
        instead = f" instead of {entry.before}" if entry.before else ""
        text = f"{after} answers all requests for {model}{instead}: {entry.reason}."
        return _Said(f"{model}: {_number(after)} serves now", text, Urgency.INFO)
    why = entry.reason.removeprefix("rollback: ")
    return _Said(
        f"{model} was rolled back from {_number(entry.before)} to {_number(after)}",
        f"{entry.before} answers no request for {model} any more; {after} answers all.\n"
        f"Why: {why}\n"
        f"Next: see what it did with `flyball show {model} {entry.before}`; a repaired one comes "
        f"with `flyball run {model}`.",
        Urgency.NOW,
    )


def _withdrawn(entry: Entry, version: str) -> _Said:
    model = entry.model
    return _Said(
        f"{model}: the rollout of {_number(version) or entry.subject} was withdrawn",
        f"Version {_what(entry, version)} had {entry.before} of the traffic and has none any "
        f"more; the version before answers all requests.\n"
        f"Why: {entry.reason}\n"
        f"Next: `flyball show {model} {version or 'VERSION'}` has the evidence.",
        Urgency.NOW,
    )


def _held(entry: Entry, version: str) -> _Said:
    model, named = entry.model, version or "VERSION"
    if entry.after == WAITS:
        return _Said(
            f"{model}: {_number(version) or entry.subject} waits for your approval",
            f"Version {_what(entry, version)} has shown enough to take all traffic.\n"
            f"What it showed: {entry.reason}\n"
            f"Next: `flyball approve {model} {named}`, or `flyball abort {model} {named}`.",
            Urgency.SOON,
        )
    return _Said(
        f"{model}: the rollout of {_number(version) or entry.subject} is held",
        f"Version {_what(entry, version)} keeps its share of the traffic until somebody decides.\n"
        f"Why: {entry.reason}\n"
        f"Next: `flyball status {model}`, then resume, promote or abort it: "
        f"`flyball resume {model} {named}`.",
        Urgency.SOON if entry.actor == CONTROLLER else Urgency.INFO,
    )


def _undecided(entry: Entry, version: str) -> _Said:
    return _Said(
        f"{entry.model}: {_number(version) or entry.subject} has not shown enough in time",
        f"The time of its step is over, and neither harm nor the lack of it was shown.\n"
        f"What is known: {entry.reason}\n"
        f"What follows is what `rollout.undecided` of the model says; see "
        f"`flyball status {entry.model}`.",
        Urgency.SOON,
    )


def _promoted(entry: Entry, version: str) -> _Said:
    return _Said(
        f"{entry.model}: {_number(version) or entry.subject} was promoted without evidence",
        f"Version {_what(entry, version)} went from {entry.before} to all traffic before the "
        f"judge had seen enough.\nWhy: {entry.reason}\n"
        f"It is watched now; `flyball rollback {entry.model}` takes it back.",
        Urgency.SOON,
    )


def _begun(entry: Entry, _version: str) -> _Said:
    return _Said(
        f"{entry.model}: a rollout of {_number(entry.after)} has begun",
        f"{entry.after} is being loaded ({entry.reason}). "
        f"`flyball status {entry.model}` shows how it goes.",
        Urgency.INFO,
    )


def _given_up(entry: Entry, _version: str) -> _Said:
    return _Said(
        f"{entry.model}: the rollout of {_number(entry.before)} was given up",
        f"{entry.before} never took traffic: {entry.reason}\n"
        f"It stays in staging; `flyball deploy {entry.model} {entry.before}` tries again.",
        Urgency.SOON,
    )


def _moved(entry: Entry, _version: str) -> _Said | None:
    """Of the moves of the lifecycle only one is told by nothing else: it could not be loaded."""
    if (entry.before, entry.after) != (State.STAGING, State.DEVELOPMENT):
        return None
    version = entry.subject.partition("/")[2]
    return _Said(
        f"{entry.model}: {_number(version)} could not be deployed",
        f"{version} never took traffic, and goes back to development: {entry.reason}",
        Urgency.SOON,
    )


def _rehearsed(entry: Entry, _version: str) -> _Said | None:
    for begin, title, urgency in (
        (MEASURED, "a rollback was rehearsed", Urgency.INFO),
        (FELL_SHORT, "a rehearsed rollback fell short", Urgency.SOON),
        (CUT_OFF, "a rehearsal of rollback was cut off", Urgency.SOON),
    ):
        if entry.reason.startswith(begin):
            text = f"{entry.reason.removeprefix(begin)}\nThe version that served serves again."
            return _Said(f"{entry.model}: {title}", text, urgency)
    return None


_OF: dict[str, Callable[[Entry, str], _Said | None]] = {
    "deploy": _begun,
    "route": _routed,
    "withdraw": _withdrawn,
    "hold": _held,
    "undecided": _undecided,
    "promote": _promoted,
    "give up": _given_up,
    "transition": _moved,
    "drill": _rehearsed,
}
"""By the action of a row; every other action is told to nobody."""
