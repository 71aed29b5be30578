"""Segments: who is served worse than others, and who would lose by this version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flyball.domain.validation import CheckResult, Verdict
from flyball.games.checks.desk import LEAST, SEED, K, accuracy, desk
from flyball.recommend.groups import Mask, activity, bands
from flyball.recommend.segments import Segmented, by_item, by_user, report

if TYPE_CHECKING:
    from flyball.games.catalogue import Catalogue
    from flyball.ports import CheckContext
    from flyball.recommend.ranking import Ranking
    from flyball.recommend.split import Fold

PRICES = (0.01, 5.0, 10.0, 20.0, 40.0)
"""In US dollars; each starts a band."""

CONFIDENCE = 0.95
RESAMPLES = 1000


class Segments:
    """NDCG@10 by activity of players, and by platform, price and genre of games.

    The worst gap below the mean is told, with its interval. Fails where a segment loses for sure
    more of the champion's NDCG@10 than ``gates.max_segment_loss`` allows.
    """

    name: ClassVar[str] = "segments"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            ArtifactCorrupt: an artifact cannot be read.
            ValidationError: a model's scores cannot be ranked.
        """
        at = desk(context)
        games = at.artifact(context, context.candidate).catalogue
        ours = _segmented(at.judged(context, context.candidate), at.fold, games)
        rows, worst = _told(ours)
        lost: list[dict[str, Any]] = []
        if context.champion is not None:
            theirs = _segmented(at.judged(context, context.champion), at.fold, games)
            lost = losses(ours, theirs, context.limits.max_segment_loss)
        verdict = Verdict.PASS if worst else Verdict.INCONCLUSIVE
        if any(row["verdict"] == "fail" for row in lost):
            verdict = Verdict.FAIL
        details: dict[str, Any] = {"worst": worst, "segments": rows}
        if lost:
            details["against the champion"] = lost
            details["most of a segment that may be lost"] = context.limits.max_segment_loss
        return CheckResult(
            check=self.name,
            verdict=verdict,
            summary=_summary(worst, lost),
            recommendation=_recommendation(verdict, lost),
            details=details,
            advisory=True,
        )


def _segmented(ranking: Ranking, fold: Fold, games: Catalogue) -> dict[str, Segmented]:
    lengths = np.diff(fold.train.matrix.indptr)[ranking.users]
    found = {"activity": by_user(accuracy(ranking), activity(lengths))}
    for name, masks in item_groups(fold.train.items.tolist(), games).items():
        found[name] = by_item(ranking, masks, K)
    return found


def item_groups(items: Sequence[str], games: Catalogue) -> dict[str, dict[str, Mask]]:
    """Games by platform, price and genre; what is not known of any game is left out."""
    known = [games.get(item) for item in items]
    prices = np.array(
        [np.nan if g is None or g.price_usd is None else g.price_usd for g in known], dtype=float
    )
    groups = {
        "platform": _tagged([() if g is None else g.platforms for g in known]),
        "genre": _tagged([() if g is None else g.genres for g in known]),
    }
    if not np.isnan(prices).all():
        named = bands(prices, PRICES)
        groups["price"] = {name.replace("below 0.01", "free"): m for name, m in named.items()}
    return {name: masks for name, masks in groups.items() if masks}


def _tagged(labels: Sequence[Sequence[str]]) -> dict[str, Mask]:
    names = sorted({label for some in labels for label in some})
    return {name: np.array([name in some for some in labels], dtype=np.bool_) for name in names}


def _told(found: Mapping[str, Segmented]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every segment's mean, and the worst gap of all kinds; empty where none can be judged."""
    rows, gaps = [], []
    for kind, segmented in found.items():
        if not (~np.isnan(segmented.values)).any():
            continue
        told = report(segmented, seed=SEED, least=LEAST, resamples=RESAMPLES)
        for one in told.segments:
            if one.interval is not None:
                interval = one.interval
                rows.append(
                    {
                        "by": kind,
                        "segment": one.name,
                        "players": one.users,
                        "ndcg@10": interval.mean,
                        "at least": interval.low,
                        "at most": interval.high,
                    }
                )
        if told.gap is not None:
            gap = told.gap
            gaps.append(
                {
                    "by": kind,
                    "segment": told.worst,
                    "gap": gap.mean,
                    "at least": gap.low,
                    "at most": gap.high,
                }
            )
    return rows, max(gaps, key=lambda gap: gap["gap"], default={})


def losses(
    ours: Mapping[str, Segmented], theirs: Mapping[str, Segmented], allowed: float
) -> list[dict[str, Any]]:
    """Each segment of ``LEAST`` players or more against the champion, the worst loss first.

    The intervals of all segments hold at once (Bonferroni). They are of a mean of paired
    differences of ``LEAST`` players or more, so they are normal: to resample 5% / 40 tails as often
    as they need would cost minutes.
    """
    judged = [
        (kind, name, theirs[kind].values[:, place], segmented.values[:, place])
        for kind, segmented in ours.items()
        for place, name in enumerate(segmented.names)
        if np.count_nonzero(~np.isnan(segmented.values[:, place])) >= LEAST
    ]
    z = NormalDist().inv_cdf(1.0 - (1.0 - CONFIDENCE) / 2.0 / max(1, len(judged)))
    rows = []
    for kind, name, before, after in judged:
        there = ~np.isnan(before)
        loss = before[there] - after[there]
        mean, half = float(loss.mean()), z * float(loss.std(ddof=1)) / len(loss) ** 0.5
        value = float(before[there].mean())
        too_much = mean - half > allowed * value
        rows.append(
            {
                "by": kind,
                "segment": name,
                "players": len(loss),
                "champion": value,
                "loss": mean,
                "at least": mean - half,
                "at most": mean + half,
                "verdict": "fail" if too_much else "pass",
            }
        )
    return sorted(rows, key=lambda row: -row["loss"])


def _summary(worst: Mapping[str, Any], lost: Sequence[Mapping[str, Any]]) -> str:
    if not worst:
        return f"no two segments have {LEAST} players: nothing can be said of any"
    text = (
        f"worst by {worst['by']}: {worst['segment']}, ndcg@10 {worst['gap']:.4f} below the mean "
        f"({worst['at least']:+.4f} to {worst['at most']:+.4f})"
    )
    if lost:
        most = lost[0]
        text += (
            f"; against the champion most lost by {most['by']} {most['segment']}: "
            f"{most['loss']:+.4f} ({most['at least']:+.4f} to {most['at most']:+.4f}) "
            f"of {most['champion']:.4f}"
        )
    return text


def _recommendation(verdict: Verdict, lost: Sequence[Mapping[str, Any]]) -> str:
    match verdict:
        case Verdict.FAIL:
            names = ", ".join(
                f"{row['by']} {row['segment']}" for row in lost if row["verdict"] == "fail"
            )
            return (
                f"these lose too much by it: {names}; look at what changed for them, or raise "
                "gates.max_segment_loss"
            )
        case Verdict.INCONCLUSIVE:
            return f"validate on more players: a segment needs {LEAST} of them"
        case _:
            return ""
