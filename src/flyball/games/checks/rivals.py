"""Rivals: is there a well-known model that does better on the same split, just so?

The search saw the validation part only, and may have missed something; and a search of few trials
may end below what three old models reach with their defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from flyball.domain.validation import CheckResult, Verdict
from flyball.errors import TrainingError
from flyball.games.checks.desk import LEAST, SEED, Learning, Values, accuracy, desk
from flyball.stats.bootstrap import paired_bootstrap

if TYPE_CHECKING:
    from flyball.ports import CheckContext

RIVALS = ("popularity", "item_knn", "ease")
"""Popularity with its half-life, the neighbours of each game, and the closed form; as they come."""

BLIND = 0.25
"""Where a rival may be better by more than this share of its own value, nothing was shown."""

CONFIDENCE = 0.95
RESAMPLES = 2000


class Rivals(Learning):
    """NDCG@10 against popularity with half-life, ItemKNN and EASE, player by player.

    Fails where one of them is better for sure. The candidate's own family does not compete: its
    defaults were the first thing the search tried.
    """

    name: ClassVar[str] = "rivals"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            ArtifactCorrupt: the artifact cannot be read.
            ValidationError: the candidate's scores cannot be ranked.
        """
        at = desk(context)
        ours = accuracy(at.judged(context, context.candidate))
        names = [name for name in RIVALS if name != context.candidate.family]
        rows = []
        for name in names:
            try:
                theirs = accuracy(at.plain(self._families, name))
            except TrainingError as error:
                rows.append({"rival": name, "verdict": "inconclusive", "why": str(error)})
            else:
                rows.append(compared(name, ours, theirs, n=len(names)))
        verdict = _worst(rows)
        value = float(ours.mean()) if len(ours) else 0.0
        return CheckResult(
            check=self.name,
            verdict=verdict,
            summary=_summary(value, rows),
            recommendation=_recommendation(rows, verdict),
            details={"players": len(ours), "ndcg@10": value, "compared": rows},
            advisory=True,
        )


def compared(name: str, ours: Values, theirs: Values, *, n: int) -> dict[str, Any]:
    """One rival; the intervals of all ``n`` hold at once (Bonferroni)."""
    row: dict[str, Any] = {"rival": name, "verdict": "inconclusive"}
    if len(ours) < 2:
        return {**row, "why": "too few players"}
    gap = paired_bootstrap(
        ours, theirs, seed=SEED, resamples=RESAMPLES, confidence=1.0 - (1.0 - CONFIDENCE) / n
    )
    value = float(theirs.mean())
    if gap.high < 0.0:
        row["verdict"] = "fail"
    elif len(ours) >= LEAST and gap.low > -BLIND * value:
        row["verdict"] = "pass"
    return {
        **row,
        "ndcg@10": value,
        "candidate has more": gap.mean,
        "at least": gap.low,
        "at most": gap.high,
    }


def _worst(rows: Sequence[dict[str, Any]]) -> Verdict:
    found = {row["verdict"] for row in rows}
    return next((v for v in (Verdict.FAIL, Verdict.INCONCLUSIVE) if str(v) in found), Verdict.PASS)


def _summary(value: float, rows: Sequence[dict[str, Any]]) -> str:
    parts = [
        f"{row['rival']} {row['ndcg@10']:.4f} (difference {row['candidate has more']:+.4f}, "
        f"{row['at least']:+.4f} to {row['at most']:+.4f})"
        if "ndcg@10" in row
        else f"{row['rival']} not compared"
        for row in rows
    ]
    return f"ndcg@10 {value:.4f} against {'; '.join(parts)}"


def _recommendation(rows: Sequence[dict[str, Any]], verdict: Verdict) -> str:
    names = " and ".join(str(row["rival"]) for row in rows if row["verdict"] == str(verdict))
    match verdict:
        case Verdict.FAIL:
            return f"{names} does better with its defaults: search longer (--trials), or serve it"
        case Verdict.INCONCLUSIVE:
            return (
                f"whether {names} does better could not be told: validate on more players, or let "
                "an operator decide"
            )
        case _:
            return ""
