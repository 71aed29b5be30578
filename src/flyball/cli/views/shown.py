"""What was shown and what came of it, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType

from flyball.cli.views.words import facts, table
from flyball.domain.text import many

if TYPE_CHECKING:
    from flyball.steps.shown import ShownReport


def shown(found: ShownReport) -> Iterator[RenderableType]:
    """The counts by version and variant, then what could not be joined."""
    when = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    if not found.counts:
        yield f"no list of {found.model} is kept from {when}"
    else:
        yield f"{found.model}, {when}"
        made = table(
            *("Version", "Part", "Lists", "Items", "Rendered", "Clicked", "Purchased", "USD"),
            keep=("Version",),
        )
        for one in found.counts:
            counts = (one.lists, one.items, one.rendered, one.clicked, one.purchased)
            counted = (f"{count:,}" for count in counts)
            made.add_row(one.version, one.variant, *counted, f"{one.value:,.2f}")
        yield made
    unjoined = [
        ("orphans", many(found.orphans, "event") if found.orphans else ""),
        ("elsewhere", many(found.elsewhere, "event") if found.elsewhere else ""),
        ("rows", str(found.out) if found.out else ""),
    ]
    yield facts(unjoined)
