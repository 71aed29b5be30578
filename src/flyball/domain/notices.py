"""What people are told of: a rollback, a rollout that waits for them, a drill."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Urgency(StrEnum):
    """How soon somebody should look."""

    NOW = "now"  # a version was rolled back, or users are still hit
    SOON = "soon"  # something waits for a person
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell.

    Attributes:
        id: the same for the same thing, so that it is told once, e.g. ``"games/3 rolled back"``.
        at: when it happened, UTC.
        model: whose.
        title: one line.
        text: what happened, to which object, and what to do next.
        urgency: how soon to look.
    """

    id: str
    at: datetime
    model: str
    title: str
    text: str
    urgency: Urgency
