"""Robustness: what is left of accuracy where histories have gaps or noise, and on odd histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flyball.domain.validation import CheckResult, Verdict
from flyball.errors import ValidationError
from flyball.games.checks.desk import (
    LEAST,
    SEED,
    Learning,
    Values,
    accuracy,
    desk,
    part_of,
    sampled,
)
from flyball.recommend.ranking import rank
from flyball.recommend.robustness import Disturbance, Disturbed, dropped, noisy, odd_histories
from flyball.stats.bootstrap import paired_bootstrap

if TYPE_CHECKING:
    from flyball.ports import CheckContext
    from flyball.recommend.protocols import Recommender, Scorer
    from flyball.recommend.split import Fold

DISTURBANCES: Mapping[str, tuple[Disturbance, float]] = {
    "20% dropped": (lambda histories, rng: dropped(histories, 0.2, rng), 0.25),
    "50% dropped": (lambda histories, rng: dropped(histories, 0.5, rng), 0.5),
    "10% noise": (lambda histories, rng: noisy(histories, 0.1, rng), 0.25),
}
"""What happens to each player's history, and the share of its NDCG@10 that a model may lose by it
beyond what the baseline loses. Measured on Steam's games: EASE 7%, 19% and 0.3%, ItemKNN 9%, 23%
and 6%; on the simulated players EASE 8%, 24% and 3%. The gates are for what leans on single
games."""

RESAMPLES = 2000


class Robustness(Learning):
    """NDCG@10 where a fifth or half of each history is missing, or a tenth of it is noise.

    Fails where more is lost for sure than ``DISTURBANCES`` allows, or where an odd history (empty,
    everything, endless hours) gives a score that is not finite.
    """

    name: ClassVar[str] = "robustness"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            ArtifactCorrupt: the artifact cannot be read.
        """
        at = desk(context)
        model = at.artifact(context, context.candidate).model
        odd = _breaking(model, at.fold.train.now)
        players = at.fold.test_users
        if len(players) < LEAST:
            return self._result(odd, [], len(players))
        part = part_of(at.fold, sampled(at.fold))
        kind = self._families(context.prepared.baseline)
        baseline = kind.fit(at.fold.train, kind.Config())
        try:
            rows = losses(at.scorer(context, context.candidate), baseline, part)
        except ValidationError as error:
            return self._result([*odd, str(error)], [], len(part.test_users))
        return self._result(odd, rows, len(part.test_users))

    def _result(
        self, odd: Sequence[str], rows: Sequence[dict[str, Any]], players: int
    ) -> CheckResult:
        verdicts = {row["verdict"] for row in rows}
        if odd or "fail" in verdicts:
            verdict = Verdict.FAIL
        else:
            verdict = Verdict.PASS if verdicts == {"pass"} else Verdict.INCONCLUSIVE
        details: dict[str, Any] = {"players asked": players, "odd histories that break it": [*odd]}
        if rows:
            details["disturbed"] = [*rows]
        return CheckResult(
            check=self.name,
            verdict=verdict,
            summary=_summary(odd, rows),
            recommendation=_recommendation(verdict, odd, rows),
            details=details,
            advisory=True,
        )


def _breaking(model: Recommender, now: float | None) -> list[str]:
    """The odd histories that the model does not answer with finite scores."""
    broken = []
    for name, histories in odd_histories(model.n_items, now=now).items():
        scores = model.predict(histories)[0], model.score(histories.one(0))
        if not all(np.isfinite(found).all() for found in scores):
            broken.append(name)
    return broken


def losses(candidate: Scorer, baseline: Scorer, part: Fold) -> list[dict[str, Any]]:
    ours, theirs = accuracy(rank(candidate, part)), accuracy(rank(baseline, part))
    return [
        _loss(
            name,
            (ours, _disturbed(candidate, how, part)),
            (theirs, _disturbed(baseline, how, part)),
            allowed,
        )
        for name, (how, allowed) in DISTURBANCES.items()
    ]


def _disturbed(model: Scorer, how: Disturbance, part: Fold) -> Values:
    """NDCG@10 of each player; every model sees the same disturbed histories."""
    return accuracy(rank(Disturbed(model, how, np.random.default_rng(SEED)), part))


def _loss(
    name: str, ours: tuple[Values, Values], theirs: tuple[Values, Values], allowed: float
) -> dict[str, Any]:
    """Shares of the intact mean that are lost; the interval is of the part beyond the baseline."""
    intact = float(ours[0].mean())
    row: dict[str, Any] = {
        "histories": name,
        "verdict": "inconclusive",
        "ndcg@10 intact": intact,
        "ndcg@10 disturbed": float(ours[1].mean()),
    }
    if not intact > 0.0:
        return row
    beyond = _share_lost(*ours) - _share_lost(*theirs)
    gap = paired_bootstrap(beyond, np.zeros(len(beyond)), seed=SEED, resamples=RESAMPLES)
    if gap.low > allowed:
        row["verdict"] = "fail"
    elif gap.high <= allowed:
        row["verdict"] = "pass"
    return {
        **row,
        "lost": float(_share_lost(*ours).mean()),
        "lost by the baseline": float(_share_lost(*theirs).mean()),
        "beyond it": gap.mean,
        "at least": gap.low,
        "at most": gap.high,
        "allowed": allowed,
    }


def _share_lost(intact: Values, disturbed: Values) -> Values:
    """Of each player; the mean is the share of the mean that is lost."""
    mean = float(intact.mean())
    return (intact - disturbed) / mean if mean > 0.0 else np.zeros(len(intact))


def _summary(odd: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    if odd:
        return f"scores that are not finite or cannot be ranked: {', '.join(odd)}"
    told = [
        f"{row['histories']}: {row['lost']:.1%} of ndcg@10 lost ({row['at least']:+.1%} to "
        f"{row['at most']:+.1%} beyond the baseline; at most {row['allowed']:.0%})"
        for row in rows
        if "lost" in row
    ]
    return "; ".join(told) or f"fewer than {LEAST} players, or none with a hit: nothing to lose"


def _recommendation(verdict: Verdict, odd: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    match verdict:
        case Verdict.FAIL if odd:
            return "the model must answer any history with finite scores: correct its code"
        case Verdict.FAIL:
            names = ", ".join(str(row["histories"]) for row in rows if row["verdict"] == "fail")
            return f"it leans on single games of a history ({names}): raise regularisation"
        case Verdict.INCONCLUSIVE:
            return "validate on more players: the loss could not be told from what is allowed"
        case _:
            return ""
