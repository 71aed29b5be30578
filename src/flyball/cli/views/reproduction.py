"""A version that was trained again, for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.words import below, facts, size, table
from flyball.domain.text import many
from flyball.steps.reproduction import FilePair, MetricPair, Outcome, Reproduction

_STYLES = {
    Outcome.BITWISE: "bold green",
    Outcome.METRICS: "green",
    Outcome.DIFFERENT: "bold red",
}
_FILES = 8
"""Files that are shown; the others are counted."""


def reproduced(found: Reproduction) -> Iterator[RenderableType]:
    """The outcome and its reasons; where bytes differ, which, and how far the metrics are apart."""
    yield Text.assemble(
        f"{found.model} {found.version}: ", (str(found.outcome), _STYLES[found.outcome])
    )
    rows: list[tuple[str, RenderableType]] = [("because", found.why)]
    rows += [(str(cause.aspect), cause.detail) for cause in found.causes]
    if found.outcome is not Outcome.BITWISE and not found.platform_known:
        rows.append(("platform", "was not recorded when this version was trained"))
    again = "the search and the fit" if found.searched else "the fit of the winner"
    rows += [
        ("artifact", found.artifact),
        ("again", found.again),
        ("done", f"{again}, {many(found.threads, 'thread')}, {found.seconds:.1f} s"),
    ]
    yield facts(rows)
    if found.metrics:
        yield below(_metrics(found.metrics))
    if found.differences:
        yield below(_files(found.differences))


def _metrics(metrics: tuple[MetricPair, ...]) -> RenderableType:
    made = table("Metric", "Recorded", "Again", "May differ by", "Equal", keep=("Metric", "Equal"))
    for one in metrics:
        again = "none" if one.again is None else f"{one.again:.6g}"
        may = f"{one.tolerance:.2g} ({one.basis})"
        equal = Text("yes", style="green") if one.equal else Text("no", style="bold red")
        made.add_row(one.name, f"{one.recorded:.6g}", again, may, equal)
    return made


def _files(pairs: tuple[FilePair, ...]) -> RenderableType:
    made = table("File that differs", "Size", "How")
    for one in pairs[:_FILES]:
        whole = one.recorded if one.recorded is not None else one.again
        made.add_row(one.path, size(whole or 0), one.told().removeprefix(one.path).lstrip(": "))
    if len(pairs) > _FILES:
        made.add_row(f"and {many(len(pairs) - _FILES, 'more file')}", "", "")
    return made
