"""A rollout in the middle of its steps, as its records tell: for tests of what is shown of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flyball.domain.deployment import Deployment, Phase, Shift
from flyball.domain.judging import Judged, Judgement, Seen, Standing
from flyball.domain.lifecycle import State
from flyball.domain.underway import Underway, underway
from flyball.domain.validation import Verdict
from flyball.testing import builders as make
from flyball.testing.builders import NOON

CHAMPION = make.a_version("1.1.0", state=State.PRODUCTION)
CHALLENGER = make.a_version("1.2.0", state=State.MONITORING)
STEPS = (0.05, 0.25, 0.5, 1.0)
BEGAN = NOON + timedelta(minutes=10)
"""When the second step was applied by every worker."""


def a_rollout(**fields: Any) -> Deployment:
    """1.2.0 answers a quarter of the users beside 1.1.0."""
    shifts = (
        Shift(share=0.05, at=NOON, applied_at=NOON),
        Shift(share=0.25, at=BEGAN, applied_at=BEGAN),
    )
    defaults: dict[str, Any] = {
        "version": CHALLENGER.name,
        "ordinal": 3,
        "replaces": CHAMPION.name,
        "strategy": "canary",
        "phase": Phase.ROLLING,
        "moved_at": BEGAN,
        "steps": STEPS,
        "shifts": shifts,
        "slow_above_s": 0.05,
    }
    return make.a_deployment(**(defaults | fields))


def a_judgement(verdict: Verdict = Verdict.INCONCLUSIVE, **fields: Any) -> Judgement:
    """Errors are fine, and latency is open."""
    parts = (
        Judged(what="errors", verdict=Verdict.PASS, detail="3 of 412 answers failed; at most 1%"),
        Judged(what="latency", verdict=verdict, detail="slow for 20 users of 400, 19 expected"),
    )
    defaults: dict[str, Any] = {
        "verdict": verdict,
        "reason": "latency is open: slow for 20 users of 400",
        "parts": parts,
    }
    return Judgement(**(defaults | fields))


def a_standing(**fields: Any) -> Standing:
    """``a_rollout``, judged two minutes into its step."""
    defaults: dict[str, Any] = {
        "model": make.MODEL,
        "deployment": f"{make.MODEL}/3",
        "at": BEGAN + timedelta(minutes=2),
        "share": 0.25,
        "judgement": a_judgement(),
        "seen": Seen(requests=412, errors=3, step_requests=200),
    }
    return Standing(**(defaults | fields))


def stands(
    deployment: Deployment | None = None, standing: Standing | None = None, **more: Any
) -> Underway:
    """How ``a_rollout`` stands by default."""
    one = a_rollout() if deployment is None else deployment
    seen = a_standing() if standing is None else standing
    return underway(one, seen, deadline=timedelta(hours=6), **more)
