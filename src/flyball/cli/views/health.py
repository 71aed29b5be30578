"""What the doctor found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.words import coloured, table
from flyball.doctor import Finding, Level


def findings(found: Sequence[Finding]) -> Iterator[RenderableType]:
    """All findings, as a table, and the sum of it."""
    made = table("Check", "Result", "Found", keep=("Check", "Result"))
    for one in found:
        said = Text(one.detail)
        if one.advice:
            said.append(f"\n{one.advice}", style="yellow")
        made.add_row(one.name, coloured(one.level), said)
    yield made
    bad = [one.name for one in found if one.level is Level.FAIL]
    yield f"to repair: {', '.join(bad)}" if bad else "nothing to repair"
