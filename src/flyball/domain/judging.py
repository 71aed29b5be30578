"""What a rollout is judged by: who was hit by what under which split, and what is promised.

The unit is the one that was drawn: a user, or a single request where nobody is named. Each unit
counts once in a rollout, at the first thing of a kind that happens to it. Whatever goes wrong for
everybody at once (an outage, a busy evening) then hits the two versions in the proportion of the
split, which is known, so that no rate has to be stable for a verdict to hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from flyball.domain.validation import Verdict


class Measure(StrEnum):
    """What is counted once for each unit."""

    SEEN = "seen"  # got an answer at all: whether the split is as promised
    FAILED = "failed"  # got an error (status 500 or above, a wrong answer)
    SLOW = "slow"  # waited longer than the champion's frozen 95th percentile
    CLICKED = "clicked"
    PURCHASED = "purchased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """To how many units something first happened, by who answered them.

    Attributes:
        share: the probability of a unit to be the challenger's meanwhile, in (0, 1).
        champion, challenger: how many units.
    """

    share: float
    champion: int
    challenger: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums over units of a number each: how many, of the numbers, and of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What units were worth (USD, hours) while the split was ``share``; units of no worth too."""

    share: float
    champion: Moments
    challenger: Moments


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that a rollout showed so far, its warm-ups left out.

    Attributes:
        splits: by measure, one for each step that had traffic, the earliest first.
        worth: the same of what units were worth.
        requests, errors: the challenger's answers in all, and those that failed.
        latency: the challenger's histogram (``flyball.stats.latency``).
        step_requests: the challenger's answers in the step under way.
        failed_units: of the challenger's units, those that had an error.
        stopped: why it must end whatever the numbers say (crashes); empty where nothing does.
    """

    splits: Mapping[Measure, tuple[Split, ...]] = field(default_factory=dict)
    worth: tuple[Worth, ...] = ()
    requests: int = 0
    errors: int = 0
    latency: tuple[int, ...] = ()
    step_requests: int = 0
    failed_units: int = 0
    stopped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What a rollout is held to: over the whole of it, however often one looks.

    Attributes:
        false_alarm: the most a version no worse than the champion is rolled back, in (0, 1).
        max_error_share: the service level: more failed answers than this are a breach.
        max_p95_s: the service level of latency, seconds.
        tolerance: how many times the champion's share of failed or slow units is tolerable: a step
            is passed once more than this is ruled out, or the service level is shown to hold.
        engagement_loss: the share of clicking and of buying units that may be lost; shown to be
            less before a step is passed where ``engagement`` is in ``decisive``.
        decisive: what must be shown, and not only unharmed, before a step is passed: of
            ``"errors"``, ``"latency"``, ``"clicks"``, ``"purchases"``, ``"value"``.
        superior: of ``"clicks"``, ``"purchases"``, ``"value"``: what must be shown to have grown
            before full traffic; empty where nothing must.
        min_requests: of the challenger in a step, before it can be passed.
    """

    false_alarm: float = 0.01
    max_error_share: float = 0.01
    max_p95_s: float = 2.0
    tolerance: float = 1.5
    engagement_loss: float = 0.1
    decisive: tuple[str, ...] = ("errors", "latency")
    superior: str = ""
    min_requests: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One thing judged.

    Attributes:
        what: ``"errors"``, ``"latency"``, ``"clicks"``, ``"purchases"``, ``"value"``, ``"split"``,
            ``"service level"``, ``"crash"``.
        verdict: PASS: shown to be tolerable. FAIL: shown to be worse. INCONCLUSIVE: neither yet.
        detail: a sentence with the numbers.
        figures: the numbers: e-values, estimates, bounds, by name.
    """

    what: str
    verdict: Verdict
    detail: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A rollout judged once.

    Attributes:
        verdict: FAIL where any part is; PASS where the step may be passed; else INCONCLUSIVE.
        reason: the sentence that decided.
        parts: everything that was judged, in a fixed order.
        suspect: the evidence itself is in doubt (the split is not as drawn): hold, and look.
    """

    verdict: Verdict
    reason: str
    parts: tuple[Judged, ...]
    suspect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a rollout under way was judged last; replaced at each verdict, and now and then.

    Attributes:
        model: whose rollout.
        deployment: its id; there is one standing a deployment.
        at: when it was judged, UTC.
        share: of the challenger in the step that was judged.
        judgement: the verdict.
        seen: what it was made from.
    """

    model: str
    deployment: str
    at: datetime
    share: float
    judgement: Judgement
    seen: Seen

    @property
    def id(self) -> str:
        """The deployment's id."""
        return self.deployment
