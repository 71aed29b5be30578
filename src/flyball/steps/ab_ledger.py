"""What the ledger tells of A/B tests, and how it is written there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from flyball.domain.ab_test import ENDED, LOOKED, STARTED, AbEnd, AbLook, AbTest
from flyball.domain.canonical import canonical_json, digest
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry, LedgerRow
from flyball.errors import ArtifactCorrupt
from flyball.steps.desk import Desk

T = TypeVar("T", AbTest, AbLook, AbEnd)

_SPLIT_OVER = frozenset({"shift", "withdraw", "route"})
"""What the ledger calls a change of who gets which version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the ledger tells of a test.

    Attributes:
        digest: of its registration.
        looks: those taken, in order; of two that were written at once the first.
        end: None while it goes on.
        split_over: when others began to get other versions than were registered, UTC; None: they
            have not.
    """

    digest: str
    looks: tuple[AbLook, ...]
    end: AbEnd | None
    split_over: datetime | None

    @classmethod
    def of(cls, desk: Desk, test: AbTest) -> Story:
        """The story of a registered test."""
        rows = desk.records.ledger(model=test.model)
        began = next(r.seq for r, known in registered(desk, test.model) if known.id == test.id)
        later = [row for row in rows if row.seq > began]
        ours = [row.entry for row in later if row.entry.subject == test.id]
        looks = {
            seen.number: seen
            for seen in reversed([_read(e, AbLook) for e in ours if e.action == LOOKED])
        }
        ends = [_read(entry, AbEnd) for entry in ours if entry.action == ENDED]
        over = [row.entry.at for row in later if row.entry.action in _SPLIT_OVER]
        return cls(
            digest=test.digest,
            looks=tuple(looks[number] for number in sorted(looks)),
            end=ends[0] if ends else None,
            split_over=min(over, default=None),
        )


def registered(desk: Desk, model: str) -> Iterator[tuple[LedgerRow, AbTest]]:
    """Registrations, with their rows.

    Raises:
        ArtifactCorrupt: one is not what its digest says.
    """
    for row in desk.records.ledger(model=model):
        if row.entry.action == STARTED:
            test = _read(row.entry, AbTest)
            if row.entry.evidence is None or row.entry.evidence.digest != test.digest:
                raise ArtifactCorrupt(
                    f"ledger row {row.seq} does not hold the A/B test that was registered; run "
                    "`flyball ledger verify`"
                )
            yield row, test


def tests(desk: Desk, model: str) -> list[AbTest]:
    """All tests of a model, the first registered first."""
    return [test for _, test in registered(desk, model)]


def noted(
    desk: Desk, action: str, test: AbTest, value: AbTest | AbLook | AbEnd, reason: str
) -> Entry:
    """What befell a test, as the ledger takes it: the value as JSON, and its digest."""
    return Entry(
        at=desk.clock.now(),
        actor=desk.actor,
        action=action,
        subject=test.id,
        model=test.model,
        after=canonical_json(value).decode(),
        reason=reason,
        evidence=Evidence(kind=EvidenceKind.DECISION, id=test.id, digest=digest(value)),
    )


def _read(entry: Entry, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(entry.after, type=kind)
    except msgspec.MsgspecError as error:
        raise ArtifactCorrupt(
            f"what the ledger says of {entry.subject} cannot be read ({error}); run "
            "`flyball ledger verify`"
        ) from error
