"""Bias: how much more of the popular, and of single publishers, is shown than players have.

To show the popular is no fault: they are what most want. So this check tells, and fails only where
more is piled on a few games than a list of the most popular would, or a publisher is pushed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from flyball.domain.validation import CheckResult, Verdict
from flyball.games.checks.desk import LEAST, K, Learning, desk
from flyball.recommend.beyond import average_popularity, coverage, gini
from flyball.recommend.concentration import (
    Exposure,
    by_owner,
    long_tail,
    popularity_had,
    shown_share,
    top_share,
)

if TYPE_CHECKING:
    from flyball.games.catalogue import Catalogue, Game
    from flyball.ports import CheckContext
    from flyball.recommend.ranking import Ranking
    from flyball.recommend.split import Fold

MORE_THAN_POPULAR = 0.1
"""How much more of all places the ten most shown games may take than under popularity."""

PUSHED_SHARE = 0.25
"""A publisher with less of the places than this is not pushed, whatever its ratio."""

PUSHED_RATIO = 5.0
"""Of places to interactions. On Steam's games Valve takes 65% of popularity's places at a ratio of
3.7, and 27% of EASE's at 1.6."""

TOLD = 10
"""Publishers in the report."""


class Bias(Learning):
    """Popularity bias and publisher exposure of the lists of ten."""

    name: ClassVar[str] = "bias"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            ArtifactCorrupt: the artifact cannot be read.
            ValidationError: the candidate's scores cannot be ranked.
        """
        at = desk(context)
        ranking = at.judged(context, context.candidate)
        popular = at.plain(self._families, "popularity")
        games = at.artifact(context, context.candidate).catalogue
        owners = by_owner(ranking, owners_of(at.fold.train.items.tolist(), games), K)
        numbers = _numbers(ranking, at.fold)
        numbers["ten most shown, under popularity"] = top_share(popular, K)
        faults = [*concentrated(numbers), *pushed(owners)]
        enough = len(ranking.users) >= LEAST
        verdict = Verdict.FAIL if faults else Verdict.PASS
        if not enough:
            verdict = Verdict.INCONCLUSIVE
        details: dict[str, Any] = {"players": len(ranking.users), **numbers}
        if owners:
            details["publishers"] = [asdict(one) for one in owners[:TOLD]]
        return CheckResult(
            check=self.name,
            verdict=verdict,
            summary=_summary(numbers, owners),
            recommendation=_recommendation(verdict, faults),
            details=details,
            advisory=True,
        )


def owners_of(items: Sequence[str], games: Catalogue) -> list[str | None]:
    """The publisher of each game, or who developed it where no publisher is known."""

    def owner(game: Game | None) -> str | None:
        return None if game is None else game.publisher or game.developer

    return [owner(games.get(item)) for item in items]


def _numbers(ranking: Ranking, fold: Fold) -> dict[str, float]:
    shown = float(average_popularity(ranking, K).mean()) if len(ranking.users) else 0.0
    had = float(popularity_had(ranking, fold.train.matrix).mean()) if len(ranking.users) else 0.0
    tail = long_tail(ranking.popularity)
    return {
        "popularity of what is shown": shown,
        "popularity of what players have": had,
        "popularity lift": shown / had if had else 0.0,
        "coverage@10": coverage(ranking, K),
        "gini@10": gini(ranking, K),
        "long tail, of interactions": float(
            ranking.popularity[tail].sum() / max(1, ranking.popularity.sum())
        ),
        "long tail, of places": shown_share(ranking, tail & ranking.known, K),
        "games nobody has, of places": shown_share(ranking, ~ranking.known, K),
        "ten most shown, of places": top_share(ranking, K),
    }


def concentrated(numbers: Mapping[str, float]) -> list[str]:
    ours, theirs = numbers["ten most shown, of places"], numbers["ten most shown, under popularity"]
    if ours <= theirs + MORE_THAN_POPULAR:
        return []
    return [f"ten games take {ours:.0%} of all places, {theirs:.0%} under mere popularity"]


def pushed(owners: Sequence[Exposure]) -> list[str]:
    return [
        f"{one.owner} takes {one.shown:.0%} of all places with {one.had:.1%} of the interactions"
        for one in owners
        if one.shown >= PUSHED_SHARE and one.shown > PUSHED_RATIO * one.had
    ]


def _over_exposed(owners: Sequence[Exposure]) -> Exposure | None:
    """The highest ratio of those with a hundredth of the places: less is chance."""
    seen = [one for one in owners if one.shown >= 0.01 and one.ratio is not None]
    return max(seen, key=lambda one: one.ratio or 0.0, default=None)


def _summary(numbers: Mapping[str, float], owners: Sequence[Exposure]) -> str:
    text = (
        f"shown games are {numbers['popularity lift']:.2f} times as popular as those players have; "
        f"coverage@10 {numbers['coverage@10']:.3f}, gini@10 {numbers['gini@10']:.3f}, "
        f"the long tail gets {numbers['long tail, of places']:.1%} of the places, games nobody has "
        f"{numbers['games nobody has, of places']:.1%}"
    )
    most = _over_exposed(owners)
    if most is None:
        return f"{text}; no publisher is known"
    return (
        f"{text}; most over-exposed: {most.owner} with {most.shown:.1%} of the places and "
        f"{most.had:.1%} of the interactions (ratio {most.ratio:.2f})"
    )


def _recommendation(verdict: Verdict, faults: Sequence[str]) -> str:
    match verdict:
        case Verdict.FAIL:
            return f"{'; '.join(faults)}: look for a fault in the data, or raise regularisation"
        case Verdict.INCONCLUSIVE:
            return f"validate on {LEAST} players or more: of fewer nothing can be said"
        case _:
            return ""
