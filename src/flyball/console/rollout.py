"""A rollout on the page: its steps, what it showed, and what may be decided. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flyball.console.facts import BAD, GOOD, PLAIN, WATCH
from flyball.console.wording import Label, When, label, lasting, percent, shortened, when
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.judging import Standing
from flyball.domain.text import many
from flyball.domain.underway import Order, Underway
from flyball.domain.validation import Verdict

_TONES = {Verdict.PASS: GOOD, Verdict.FAIL: BAD, Verdict.INCONCLUSIVE: PLAIN, Verdict.ERROR: WATCH}
_WORDS = {Verdict.PASS: "fine", Verdict.FAIL: "worse", Verdict.INCONCLUSIVE: "open"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step: its share, and whether it is ``past``, ``now`` or ``ahead``."""

    share: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """One thing judged."""

    what: str
    verdict: str
    tone: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """One rollout under way.

    Attributes:
        deployment: its id.
        label, beside: the version, and the champion beside it; None where there is none.
        says: where it stands, in one sentence.
        keeps: what keeps it there whatever is judged; empty where nothing does.
        steps: all of them, the lowest share first.
        since: when this step began.
        deadline: how long it still has; empty where nothing is awaited.
        seen: what it answered so far; empty before the first look.
        judged: when it was last judged.
        parts: what was judged.
        orders: what may be decided now.
    """

    deployment: str
    label: Label
    beside: Label | None
    says: str
    keeps: str
    steps: tuple[StepView, ...]
    since: When
    deadline: str
    seen: str
    judged: When | None
    parts: tuple[PartView, ...]
    orders: tuple[Order, ...]


def rollout_view(found: Underway, now: datetime) -> RolloutView:
    """A rollout at a time."""
    one, standing = found.deployment, found.standing
    return RolloutView(
        deployment=one.id,
        label=label(one.version),
        beside=label(one.replaces) if one.replaces else None,
        says=_says(found),
        keeps=shortened(found.keeps),
        steps=tuple(
            StepView(share=share(step), place=_place(number, found.step))
            for number, step in enumerate(one.steps, start=1)
        ),
        since=when(found.since, now),
        deadline=_left(found.deadline - now) if found.deadline else "",
        seen=_seen(standing) if standing else "",
        judged=when(standing.at, now) if standing else None,
        parts=_parts(standing) if standing else (),
        orders=found.orders,
    )


def share(value: float) -> str:
    """``0.05`` as ``5%``."""
    return f"{100 * value:.3g}%"


def _says(found: Underway) -> str:
    one = found.deployment
    match one.phase:
        case Phase.LOADING:
            return "Workers load and smoke-test it. It has no traffic yet."
        case Phase.SWITCHING:
            return "It has all traffic. Workers are applying that."
        case _:
            return f"It answers {share(found.share)} of the users{_others(one)}."


def _others(one: Deployment) -> str:
    return f", {label(one.replaces).number} the others" if one.replaces else ""


def _place(number: int, step: int) -> str:
    return "past" if number < step else "now" if number == step else "ahead"


def _left(left: timedelta) -> str:
    if left <= timedelta():
        return "its time for this step is over"
    return f"{lasting(left) or 'under a minute'} left for this step"


def _seen(standing: Standing) -> str:
    seen = standing.seen
    errors = f"{many(seen.errors, 'error')} ({percent(seen.errors, seen.requests)})"
    return f"{many(seen.requests, 'answer')}, {errors if seen.errors else 'no error'}"


def _parts(standing: Standing) -> tuple[PartView, ...]:
    return tuple(
        PartView(
            what=part.what,
            verdict=_WORDS.get(part.verdict, str(part.verdict)),
            tone=_TONES[part.verdict],
            detail=shortened(part.detail),
        )
        for part in standing.judgement.parts
    )
