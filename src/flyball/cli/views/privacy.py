"""What became of a wish to be forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.words import below, facts
from flyball.domain.text import many

if TYPE_CHECKING:
    from flyball.data.privacy import ForgottenPerson


def forgotten(found: ForgottenPerson) -> Iterator[RenderableType]:
    """What was removed, and what remains."""
    removed = (found.events, found.lists, found.rows, found.quarantined)
    yield facts(
        [
            ("forgotten", f"{found.pseudonym} in {found.model}"),
            ("events", f"{found.events:,}"),
            ("lists shown", f"{found.lists:,}" if found.lists else ""),
            ("dataset", many(found.rows, "row")),
            ("", ", ".join(found.files)),
            ("quarantine", many(found.quarantined, "row")),
            ("new version", found.dataset[:8] if found.rows else ""),
            ("learned", ", ".join(found.learned)),
        ]
    )
    if not any(removed):
        yield Text("nothing of theirs was stored; that they are to stay out is recorded", "dim")
    if found.remains:
        yield below(Text("What remains:"))
        for sentence in found.remains:
            yield Text(f"- {sentence}")
