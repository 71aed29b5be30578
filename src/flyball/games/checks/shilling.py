"""Shilling: how far made-up players can push a game into genuine players' lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from flyball.domain.validation import CheckResult, Verdict
from flyball.games.checks.desk import LEAST, SEED, K, Learning, desk, refitted, sampled
from flyball.recommend.shilling import Attack, Kind, Lift, attacked, lifts, places, unpopular

if TYPE_CHECKING:
    from flyball.ports import CheckContext
    from flyball.recommend.interactions import Interactions

KINDS: tuple[Kind, ...] = ("average", "bandwagon")
SHARES = (0.001, 0.01)
"""Made-up players as a share of the genuine ones."""

TARGETS = 2
"""Games pushed by each kind and share. All are attacked at once, each by players of its own, so
that one fit is enough; games that nobody wants do not get in each other's way."""


class Shilling(Learning):
    """The candidate's recipe learns once more, with made-up players who push unpopular games.

    Fails where 1% of them bring a game into more genuine players' first ten than
    ``gates.max_shilled`` allows. Measured on Steam's plays (all games had) with the defaults, the
    worst of two games pushed by a bandwagon of 1% came into the first ten of 0% (0%) under
    popularity, 7% (2%) under EASE, 6% (1%) under feature EASE and 33% (11%) under ItemKNN, which
    any few players with one rare game in common impress; 0.1% reached more than 0.2% under none.
    On Steam's reviews, where most players have one game, EASE let them into 19%.

    With dates a burst is told of, too: all made-up players within the last week. It decides
    nothing, because whatever follows the fashion follows one that is made (popularity with a
    half-life of 60 days: every list); bursts are for monitoring to see.
    """

    name: ClassVar[str] = "shilling"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            ArtifactCorrupt: the artifact cannot be read.
            TrainingError: the recipe cannot learn from the attacked data.
        """
        at = desk(context)
        train = at.fold.train
        attacks = plan(train)
        players = sampled(at.fold) if len(at.fold.test_users) else at.fold.test_users
        if len(players) < LEAST or not attacks:
            return _nothing(self.name, len(players))
        asked = at.fold.histories(players)
        targets = [attack.target for attack in attacks]
        before = places(at.scorer(context, context.candidate), asked, targets)
        candidate = context.candidate
        fooled = refitted(
            self._families,
            candidate.family,
            candidate.recipe.hyperparameters,
            attacked(train, attacks, seed=SEED),
            at.fold,
        )
        found = lifts(attacks, before, places(fooled, asked, targets), k=K)
        return self._judged(found, train, context.limits.max_shilled)

    def _judged(self, found: Sequence[Lift], train: Interactions, allowed: float) -> CheckResult:
        steady = [lift for lift in found if not lift.attack.burst]
        too_far = [lift for lift in steady if lift.shown_after - lift.shown_before > allowed]
        return CheckResult(
            check=self.name,
            verdict=Verdict.FAIL if too_far else Verdict.PASS,
            summary=_summary(found, allowed),
            recommendation=(
                "it is too easily fooled: raise regularisation or shrinkage, leave out suspicious "
                "players, or raise gates.max_shilled"
                if too_far
                else ""
            ),
            details={
                "players asked": max(lift.asked for lift in found),
                "at most": allowed,
                "attacks": [_row(lift, train) for lift in found],
            },
            advisory=True,
        )


def _summary(found: Sequence[Lift], allowed: float) -> str:
    steady = [lift for lift in found if not lift.attack.burst]
    worst = max(steady, key=lambda lift: lift.shown_after - lift.shown_before)
    text = (
        f"{worst.attack.share:.1%} made-up players ({worst.attack.kind}) bring a game from "
        f"{worst.shown_before:.1%} to {worst.shown_after:.1%} of genuine players' first {K} (at "
        f"most {allowed:.0%} more), from place {worst.rank_before:.0f} to {worst.rank_after:.0f}"
    )
    bursts = [lift.shown_after for lift in found if lift.attack.burst]
    return f"{text}; all within a week: {max(bursts):.1%}" if bursts else text


def plan(train: Interactions) -> list[Attack]:
    """``TARGETS`` unpopular games for each kind and share, and with dates one more, for a burst;
    none where there are too few games."""
    kinds = [(kind, share) for kind in KINDS for share in SHARES for _ in range(TARGETS)]
    targets = unpopular(train.counts, len(kinds) + 1, seed=SEED)
    if len(targets) < len(kinds):
        return []
    planned = [
        Attack(kind, share, target) for (kind, share), target in zip(kinds, targets, strict=False)
    ]
    if train.days is not None and len(targets) > len(kinds):
        planned.append(Attack("bandwagon", max(SHARES), targets[-1], burst=True))
    return planned


def _row(lift: Lift, train: Interactions) -> dict[str, Any]:
    target = lift.attack.target
    return {
        "attack": f"{lift.attack.kind}, within a week" if lift.attack.burst else lift.attack.kind,
        "made-up players": lift.attack.share,
        "game": str(train.items[target]),
        "genuine owners": int(train.counts[target]),
        "in first 10, before": lift.shown_before,
        "in first 10, after": lift.shown_after,
        "median place, before": lift.rank_before,
        "median place, after": lift.rank_after,
    }


def _nothing(name: str, players: int) -> CheckResult:
    return CheckResult(
        check=name,
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{players} players to ask and too few games to push say nothing of an attack",
        recommendation=f"validate on {LEAST} players or more, and on more games",
        details={"players asked": players},
        advisory=True,
    )
