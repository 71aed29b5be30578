"""Business rules: recorded first; every serving worker follows within a second."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flyball.domain.canonical import canonical_json
from flyball.domain.ledger import Entry
from flyball.domain.rules import Rules
from flyball.errors import NotFound
from flyball.ports import Application, Change, Clock, Records


def rules_of(records: Records, model: str) -> Rules | None:
    """The rules of a model; None where none were ever set."""
    with suppress(NotFound):
        return records.get(Rules, model)
    return None


def set_rules(
    model: str,
    document: Mapping[str, Any],
    *,
    application: Application,
    records: Records,
    clock: Clock,
    actor: str,
) -> Rules:
    """Put these rules in place of those there are. The same again changes nothing.

    Raises:
        ConfigurationError: the application does not understand the document; says where.
        StaleWrite: somebody else set others in the meantime.
    """
    application.read_rules(document)
    before = rules_of(records, model)
    if before is not None and canonical_json(before.document) == canonical_json(document):
        return before
    after = Rules(
        model=model,
        revision=1 if before is None else before.revision + 1,
        document=document,
        set_at=clock.now(),
        set_by=actor,
    )
    entry = Entry(
        at=after.set_at,
        actor=actor,
        action="rules",
        subject=model,
        model=model,
        before="" if before is None else str(before.revision),
        after=str(after.revision),
        reason=_words(document),
    )
    records.commit([Change(value=after, replacing=before)], [entry])
    return after


def _words(document: Mapping[str, Any]) -> str:
    parts = [f"{name}: {_size(value)}" for name, value in document.items() if value]
    return f"business rules set ({', '.join(parts) or 'none'})"


def _size(value: Any) -> str:
    return str(len(value)) if isinstance(value, list | dict) else str(value)
