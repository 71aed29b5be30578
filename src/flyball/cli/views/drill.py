"""What a drill came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.words import coloured, facts, table
from flyball.domain.text import many

if TYPE_CHECKING:
    from flyball.drills import Noticed
    from flyball.steps.drill import Drill, Leg


def rollback(found: Drill) -> Iterator[RenderableType]:
    """A rehearsed rollback: both switches, the requests meanwhile, and what fell short."""
    made = table("Switch", "Serves", "Acknowledged", "Confirmed", keep=("Switch", "Acknowledged"))
    for name, leg in (("there", found.there), ("back", found.back)):
        made.add_row(name, leg.version, _seconds(leg, found.within_s), _confirmed(leg, found))
    yield made
    failed = f"{found.failed:,} of {many(found.requests, 'request')} failed meanwhile"
    if not found.requests:
        failed = "nobody asked for anything meanwhile: this says nothing about failed requests"
    yield facts([("requests", failed)])
    for said in found.shortfalls:
        yield Text(said, style="red")
    if found.shortfalls:
        yield Text.assemble("the rehearsal fell short: ", coloured("fail"))
    else:
        yield Text.assemble(f"{found.back.version} serves as before: ", coloured("pass"))


def _seconds(leg: Leg, within_s: float) -> Text:
    if leg.seconds is None:
        return Text("not by all", style="red")
    style = "green" if leg.seconds <= within_s else "red"
    return Text(f"{leg.seconds:.3f} s", style=style)


def _confirmed(leg: Leg, found: Drill) -> str:
    return f"{len(leg.confirmed)} of {many(found.workers, 'worker')}"


def noticed(found: Sequence[Noticed]) -> Iterator[RenderableType]:
    """Who took a test notice."""
    made = table("Notifier", "Tells", "Result", keep=("Notifier",))
    for one in found:
        made.add_row(one.notifier, one.whom, Text(one.problem, "red") if one.problem else "taken")
    yield made
