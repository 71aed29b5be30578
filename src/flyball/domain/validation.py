"""Validation: checks, their verdicts, and the decision that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """Four outcomes, not two. No data is never a pass."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One test of a candidate.

    Attributes:
        check: its name.
        verdict: what it says.
        summary: one sentence a person reads, with the numbers that decided.
        recommendation: what to do about it; empty where there is nothing to do.
        details: the numbers; JSON types.
        seconds: what it cost.
        advisory: it can stop a candidate by failing, and not by having too little data to judge.
    """

    check: str
    verdict: Verdict
    summary: str
    recommendation: str = ""
    details: Mapping[str, Any]
    seconds: float = 0.0
    advisory: bool = False


class Decision(StrEnum):
    """What a report says about its candidate."""

    PROMOTE = "promote"
    REJECT = "reject"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """The checks of one candidate, the decision and its recommendations.

    Attributes:
        model, version: the candidate.
        report_id: 16 hex digits of the digest of candidate, champion, data and checks; the same
            question is the same report.
        champion: the version it was compared with; empty where there was none.
        data_version: what it was judged on.
        results: one by check.
        decision: what follows.
        recommendations: what to do next, most important first.
        artifact: digest of the directory with ``report.json`` and ``report.html``.
        created_at: UTC.
    """

    model: str
    version: str
    report_id: str
    champion: str
    data_version: str
    results: tuple[CheckResult, ...]
    decision: Decision
    recommendations: tuple[str, ...]
    created_at: datetime
    artifact: str = ""

    @property
    def id(self) -> str:
        """``"<model>/<report id>"``."""
        return f"{self.model}/{self.report_id}"


def decide(results: Sequence[CheckResult]) -> Decision:
    """Promote if every check passed; reject if any failed; else undecided.

    Advisory checks that are inconclusive are passed over. No other checks at all is undecided:
    missing evidence is never a pass.
    """
    verdicts = {
        result.verdict
        for result in results
        if not (result.advisory and result.verdict is Verdict.INCONCLUSIVE)
    }
    if Verdict.FAIL in verdicts:
        return Decision.REJECT
    if verdicts == {Verdict.PASS}:
        return Decision.PROMOTE
    return Decision.UNDECIDED


_URGENCY = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)


def recommendations(results: Sequence[CheckResult]) -> tuple[str, ...]:
    """The checks' recommendations, the most urgent verdict first."""
    ordered = sorted(results, key=lambda result: _URGENCY.index(result.verdict))
    return tuple(result.recommendation for result in ordered if result.recommendation)
