"""Whether a version with all traffic keeps its service level: there is nobody to compare it with.

A share of failures above the limit in some hundred answers is what chance makes of a good version
every few minutes. So a breach is what refutes "the rate is at most the limit" (``rate``), at a
level that holds for all looks of the bake together.
"""

from __future__ import annotations

import math

from flyball.domain.traffic import Window
from flyball.domain.validation import Verdict
from flyball.stats.sequential.rate import log_evidence_above


def judge_health(
    window: Window | None, *, limit: float, alpha: float, min_requests: int
) -> tuple[Verdict, str]:
    """Whether a served stretch kept its service level, and why. No data is inconclusive.

    Args:
        window: all of the stretch so far, in one; look as often as you like while it grows.
        limit: the service level: the share of failed answers, at most.
        alpha: the chance that a version which keeps it fails this, at most.
        min_requests: with fewer answers nothing is passed.

    Returns:
        FAIL: more fail, shown. PASS: enough answers, and no larger share failed. INCONCLUSIVE:
        neither.
    """
    requests, errors = (0, 0) if window is None else (window.requests, window.errors)
    if requests and log_evidence_above(errors, requests, limit) >= math.log(1.0 / alpha):
        return Verdict.FAIL, _said(errors, requests, limit)
    if requests < max(1, min_requests):
        return Verdict.INCONCLUSIVE, f"{requests} of the {min_requests} requests needed"
    if errors > limit * requests:
        return Verdict.INCONCLUSIVE, f"{_said(errors, requests, limit)}, which may be chance"
    return Verdict.PASS, _said(errors, requests, limit)


def _said(errors: int, requests: int, limit: float) -> str:
    return (
        f"{errors} of {requests} requests failed "
        f"({errors / requests:.2%}; at most {limit:.2%} allowed)"
    )
