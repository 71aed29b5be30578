"""What a plan of a rollout says: of each step, what it finds, how soon, and what passes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """How a step meets a version that is worse in one way.

    Attributes:
        what: ``"errors"``, ``"latency"``, ``"clicks"`` or ``"purchases"``.
        size: in words: ``"5x"``, ``"50% of answers"``, ``"p95 +30%"``, ``"-10%"``.
        found: the share of such versions that the step finds and rolls back, in [0, 1].
        passed: the share that it lets pass, because what it promises to keep out is ruled out.
        seconds: median from the first counted answer to the rollback; None where fewer than half
            are found.
        requests: the challenger's answers until then; None likewise.
    """

    what: str
    size: str
    found: float
    passed: float
    seconds: float | None
    requests: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutlook:
    """One step of a rollout, by itself: as if nothing had been seen before it.

    Attributes:
        share: of the challenger.
        requests_per_second: of the challenger.
        finds: by what is judged, the smallest change that is found within the deadline with
            ``POWER`` where the step lasts that long: how many times the share of failed or slow
            users, or the share of clicking or buying users that is lost; None where none is.
        harms: versions that are worse, each in one way.
        healthy: the share of versions just as good as the champion that pass by the deadline.
        healthy_s: median time that one of them needs, warm-up and interval included; None where
            fewer than half ever pass.
        within_deadline: whether ``healthy_s`` lies within the deadline.
        share_needed: the smallest share at which it would; None where this one does, or none.
    """

    share: float
    requests_per_second: float
    finds: Mapping[str, float | None] = field(default_factory=dict)
    harms: tuple[Harm, ...] = ()
    healthy: float = 0.0
    healthy_s: float | None = None
    within_deadline: bool = False
    share_needed: float | None = None
