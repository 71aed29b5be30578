"""The plan of a rollout, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType

from flyball.cli.views.words import below, facts, table

if TYPE_CHECKING:
    from flyball.stats.sequential.outlook import Harm, StepOutlook
    from flyball.steps.habits import Habits
    from flyball.steps.plan import Plan

_UNITS = (("s", 1.0), ("min", 60.0), ("h", 3600.0), ("days", 86400.0))
_RATIOS = ("errors", "latency")


def plan(found: Plan) -> Iterator[RenderableType]:
    """What it rests on, what each step finds, how worse versions fare, and what to change."""
    yield f"{found.model}: {_traffic(found.habits, found.requests_per_second)}"
    if found.steps:
        yield below(_steps(found))
        yield below(_harms(found.steps))
    notes = [("assumed" if not n else "", line) for n, line in enumerate(found.habits.assumed)]
    advice = [("to do" if not n else "", line) for n, line in enumerate(found.advice)]
    if notes or advice:
        yield below(facts([*notes, *advice], least=7))


def duration(seconds: float | None) -> str:
    """For a person: "0.8 s", "45 s", "3.5 min", "6 h", "2 days"; "never" for None."""
    if seconds is None:
        return "never"
    name, unit = [one for one in _UNITS if seconds >= 1.5 * one[1] or one is _UNITS[0]][-1]
    count = seconds / unit
    return f"{count:.2g} {name}" if count < 99.5 else f"{count:.0f} {name}"


def _traffic(habits: Habits, rate: float) -> str:
    if rate <= 0:
        return "no traffic"
    told = f"{rate:.3g} requests/s"
    if not habits.requests:
        return told
    failed = f"{habits.errors:,} of {habits.requests:,} answers failed"
    when = f"{habits.since:%Y-%m-%d %H:%M} to {habits.until:%H:%M} UTC"
    return f"{told}, {failed} ({when}); {habits.lists:,} lists and {habits.events:,} events"


def _steps(found: Plan) -> RenderableType:
    made = table(
        "Share", "Requests/s", "A good one passes", *(f"{w} from" for w in found.steps[0].finds)
    )
    for step in found.steps:
        passes = duration(step.healthy_s) + (
            "" if step.within_deadline or step.healthy_s is None else ", too late"
        )
        changes = [_change(what, size) for what, size in step.finds.items()]
        made.add_row(f"{step.share:.0%}", f"{step.requests_per_second:.3g}", passes, *changes)
    made.caption = f"found within {duration(found.deadline_s)} in 8 of 10 rollouts"
    made.caption_justify = "left"
    return made


def _change(what: str, size: float | None) -> str:
    if size is None:
        return "nothing"
    return f"{size:.2g}x" if what in _RATIOS else f"-{size:.0%}"


def _harms(steps: Sequence[StepOutlook]) -> RenderableType:
    made = table("Worse by", *(f"at {step.share:.0%}" for step in steps))
    for row in zip(*(step.harms for step in steps), strict=True):
        made.add_row(f"{row[0].what} {row[0].size}", *map(_fate, row))
    made.caption = "median time to the rollback, and how many are rolled back"
    made.caption_justify = "left"
    return made


def _fate(harm: Harm) -> str:
    if harm.seconds is not None:
        return f"{duration(harm.seconds)} ({harm.found:.0%})"
    if harm.passed >= 0.5:
        return f"passes ({harm.found:.0%} found)"
    return f"undecided ({harm.found:.0%} found)"
