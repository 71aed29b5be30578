"""How a rollout stands, and what an operator decided about it, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from flyball.answers import Decided
from flyball.cli.views.words import ago, coloured, facts
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.judging import Judged, Standing
from flyball.domain.text import many
from flyball.domain.underway import Order, Underway

_DONE: dict[Order, str] = {
    Order.HOLD: "is held",
    Order.RESUME: "goes on",
    Order.APPROVE: "is approved for full traffic",
    Order.PROMOTE: "takes all traffic",
    Order.ABORT: "is withdrawn",
    Order.ARCHIVE: "is archived",
}


def underway(found: Underway, now: datetime) -> RenderableType:
    """A rollout: its step, what it showed, and what keeps it there."""
    one = found.deployment
    rows: list[tuple[str, RenderableType]] = [
        ("rollout", Text.assemble(f"{one.version} ", coloured(one.phase), _beside(one))),
        ("step", f"{where(found)}, {ago(found.since, now)}"),
        ("steps", steps(found)),
    ]
    if found.keeps:
        rows.append(("waits", Text(found.keeps, "yellow")))
        rows.append(("", _way_on(one)))
    if found.deadline is not None:
        rows.append(("deadline", f"{found.deadline:%Y-%m-%d %H:%M} UTC for this step"))
    if found.standing is not None:
        rows.append(("seen", f"{counted(found.standing)}, {ago(found.standing.at, now)}"))
        rows += [(part.what, judged(part)) for part in found.standing.judgement.parts]
    return facts(rows)


def where(found: Underway) -> str:
    """The step in words: ``"2 of 4: 25% of the users"``."""
    one = found.deployment
    match one.phase:
        case Phase.LOADING:
            return "workers load and smoke-test it; it has no traffic yet"
        case Phase.ROLLING:
            return f"{found.step} of {len(one.steps)}: {share(found.share)} of the users"
        case Phase.SWITCHING:
            return "all traffic; workers are applying it"
        case Phase.BAKING:
            return "all traffic; it bakes"
        case _:
            return f"{one.phase}: {one.detail}" if one.detail else str(one.phase)


def steps(found: Underway) -> Text:
    """The shares, the one under way marked: ``"5% > [25%] > 50% > 100%"``."""
    said = Text()
    for number, step in enumerate(found.deployment.steps, start=1):
        if number > 1:
            said.append(" > ", style="dim")
        here, passed = number == found.step, number < found.step
        text = f"[{share(step)}]" if here else share(step)
        said.append(text, style="bold cyan" if here else "green" if passed else "dim")
    return said


def share(value: float) -> str:
    """``0.05`` as ``"5%"``."""
    return f"{100 * value:.3g}%"


def counted(standing: Standing) -> str:
    """What the challenger answered so far."""
    seen = standing.seen
    part = f" ({seen.errors / seen.requests:.2%})" if seen.requests and seen.errors else ""
    return f"{many(seen.requests, 'request')}, {many(seen.errors, 'error')}{part}"


def judged(part: Judged) -> Text:
    """A verdict with its sentence."""
    return Text.assemble(coloured(part.verdict), f": {part.detail}")


def decided(found: Decided) -> Iterator[RenderableType]:
    """A decision of an operator."""
    yield f"{found.version.id} {_done(found)}"
    yield f"because: {found.reason}"
    if found.order in (Order.PROMOTE, Order.ABORT):
        yield from _applied(found)
    if found.order is Order.HOLD:
        yield f"`flyball resume {found.version.model} {found.version.name}` lets it go on"


def _done(found: Decided) -> str:
    one = found.deployment
    if one is None or found.order in (Order.ARCHIVE, Order.PROMOTE):
        return _DONE[found.order]
    if found.order is Order.ABORT:
        return f"{_DONE[found.order]}; {one.replaces or 'nothing'} answers everybody"
    return f"{_DONE[found.order]} at {share(one.share)} of the users"


def _applied(found: Decided) -> Iterator[RenderableType]:
    if found.seconds is not None:
        yield f"every worker applied it within {found.seconds:.1f} s"
    elif found.deployment is None or found.deployment.phase is not Phase.FAILED:
        told = "no worker has confirmed it yet; each follows the record as soon as it can"
        yield Text(told, style="yellow")


def _beside(one: Deployment) -> str:
    return f" beside {one.replaces} ({one.strategy})" if one.replaces else f" ({one.strategy})"


def _way_on(one: Deployment) -> str:
    order = Order.APPROVE if one.waits else Order.RESUME
    return f"`flyball {order} {one.model} {one.version}` lets it go on"
