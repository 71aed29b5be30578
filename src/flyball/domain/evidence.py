"""Evidence: the stored, checkable reason for a change of state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EvidenceKind(StrEnum):
    """What a reason can be."""

    DATASET = "dataset"  # a dataset version is ready
    RUN = "run"  # a training run ended with a result
    REPORT = "report"  # a validation report was decided
    SMOKE = "smoke"  # every serving worker loaded and exercised the version
    APPLIED = "applied"  # every serving worker acknowledged the route
    HEALTH = "health"  # live traffic was judged
    DECISION = "decision"  # a person decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A pointer to a stored reason.

    Attributes:
        kind: what it is.
        id: the record it stands in, for example a report's id.
        digest: SHA-256 (hex) of its content, so that a later change of it shows.
    """

    kind: EvidenceKind
    id: str
    digest: str
