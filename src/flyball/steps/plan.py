"""Plan: what a rollout would find, and how soon, at the traffic there is. Nothing is changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flyball.domain.traffic import Answers
from flyball.errors import InvalidRequest
from flyball.ports import Events, ServedLists
from flyball.settings import Rollout
from flyball.stats.sequential.outlook import StepOutlook
from flyball.stats.sequential.plan import POWER, Pace, outlook
from flyball.stats.sequential.simulated import Traffic
from flyball.steps.habits import Habits, habits, scaled
from flyball.steps.rolling import promises

SEED = 6
"""The same traffic and settings, the same plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a rollout of a model would find.

    Attributes:
        model: whose.
        habits: the traffic it was worked out for.
        requests_per_second: of it, in all; 0 where there is none, and then no step either.
        users_per_second: different users in the first minute of a step, over 60.
        false_alarm: the most a version no worse than the champion is rolled back.
        deadline_s: time in which a step must show enough, seconds.
        steps: those below full traffic, in order.
        advice: what to change, in sentences; empty where every step can decide.
    """

    model: str
    habits: Habits
    requests_per_second: float
    users_per_second: float
    false_alarm: float
    deadline_s: float
    steps: tuple[StepOutlook, ...]
    advice: tuple[str, ...]


def plan(
    model: str,
    *,
    rollout: Rollout,
    now: datetime,
    within: timedelta,
    requests_per_second: float | None,
    events: Events,
    served: ServedLists,
    answers: Answers,
) -> Plan:
    """What each step of ``rollout`` finds at the recorded traffic.

    Args:
        within: how far back traffic is looked at, at most.
        requests_per_second: plan for so much instead; the habits stay.

    Raises:
        InvalidRequest: ``requests_per_second`` is not a number above 0.
        StorageUnavailable: what was recorded cannot be read.
    """
    rate = requests_per_second
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        raise InvalidRequest(f"{rate} requests per second is no traffic; give a number above 0")
    known = habits(model, now=now, within=within, events=events, served=served, answers=answers)
    if rate is not None:
        known = scaled(known, rate)
    total = known.asking.per_second
    deadline_s = rollout.deadline.total_seconds()
    shares = [share for share in rollout.steps if share < 1.0]
    steps = _outlooks(known, rollout, shares) if total > 0 else ()
    return Plan(
        model=model,
        habits=known,
        requests_per_second=total,
        users_per_second=float(known.asking.by(60.0)) / 60.0,
        false_alarm=rollout.false_alarm,
        deadline_s=deadline_s,
        steps=steps,
        advice=tuple(_advice(model, steps, rollout, traffic=total > 0)),
    )


def _outlooks(known: Habits, rollout: Rollout, shares: Sequence[float]) -> tuple[StepOutlook, ...]:
    traffic = Traffic(
        asking=known.asking,
        clicking=known.clicking,
        buying=known.buying,
        error_share=known.error_share,
        latency=known.latency,
    )
    pace = Pace(
        deadline_s=rollout.deadline.total_seconds(),
        interval_s=rollout.interval.total_seconds(),
        warm_up_s=rollout.warm_up.total_seconds(),
    )
    return outlook(traffic, promises(rollout), shares, pace=pace, seed=SEED)


def _advice(
    model: str, steps: Sequence[StepOutlook], rollout: Rollout, *, traffic: bool
) -> list[str]:
    """What to change, so that each step can decide."""
    if not traffic:
        return [
            f"no traffic of {model} is recorded: send some, or plan for an amount with "
            f"`flyball plan {model} --requests-per-second 10`"
        ]
    if not steps:
        return ["rollout.steps has no share below 1: a version takes all traffic at once"]
    said = _too_slow(steps, rollout)
    clicks = [harm.found for step in steps for harm in step.harms if harm.what == "clicks"]
    if "clicks" not in rollout.decisive and 0.0 < max(clicks) < POWER:
        said.append(
            'fewer clicks are mostly not found before a step is passed: with "clicks" in '
            "rollout.decisive each step waits until that is ruled out"
        )
    if rollout.superior:
        said.append(
            f"rollout.superior asks for more {rollout.superior}: a version that is only as good "
            "never takes all traffic"
        )
    if "value" in rollout.decisive:
        said.append("how long it takes to judge value is not planned: its spread is not recorded")
    return said


def _too_slow(steps: Sequence[StepOutlook], rollout: Rollout) -> list[str]:
    """What would let a good version pass all steps in time."""
    late = [step for step in steps if not step.within_deadline]
    if not late:
        return []
    ways = []
    needed = [step.healthy_s for step in late if step.healthy_s is not None]
    if len(needed) == len(late):
        ways.append(f"set rollout.deadline to {_hours(2 * max(needed))}")
    if late[0].share_needed is not None:
        ways.append(f"begin with a share of {late[0].share_needed:.0%}")
    ways = ways or ["wait for more traffic, or judge less in rollout.decisive"]
    limit = _hours(rollout.deadline.total_seconds())
    return [
        f"a good version does not pass {' or '.join(f'{step.share:.0%}' for step in late)} within "
        f"{limit} (then: {rollout.undecided}): {' or '.join(ways)}"
    ]


def _hours(seconds: float) -> str:
    """As a setting is written, rounded up: "6h", "3d"."""
    hours = math.ceil(seconds / 3600)
    return f"{hours}h" if hours <= 48 else f"{math.ceil(hours / 24)}d"
