"""Business rules, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from flyball.cli.views.words import ago

if TYPE_CHECKING:
    from flyball.domain.rules import Rules


def rules(model: str, found: Rules | None, now: datetime) -> Iterator[str]:
    """The rules in force, and since when."""
    if found is None or not found.document:
        yield f"{model} has no business rules in force"
    if found is not None:
        yield f"revision {found.revision}, set {ago(found.set_at, now)} by {found.set_by}"
        if found.document:
            yield json.dumps(found.document, indent=2, ensure_ascii=False)
