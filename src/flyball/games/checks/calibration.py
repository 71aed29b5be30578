"""Calibration: whether the probabilities that a version's scores stand for came true."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from flyball.domain.validation import CheckResult, Verdict
from flyball.errors import ArtifactCorrupt
from flyball.games.checks.desk import desk
from flyball.games.meaning import RELIABILITY, read_reliability
from flyball.stats.reliability import Reliability

if TYPE_CHECKING:
    from pathlib import Path

    from flyball.ports import CheckContext


class Calibrated:
    """The reliability that was measured as the version was packaged: learnt from half of the
    players, judged on the other half.

    Fails where the test of ``stats.reliability`` says that the probabilities are wrong;
    inconclusive where there were too few hits to tell. ``reliability`` of the details has the bins.
    """

    name: ClassVar[str] = "calibration"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            ArtifactCorrupt: the artifact cannot be read.
        """
        directory = desk(context).directory(context, context.candidate)
        found = _reliability(directory)
        if found is None:
            return CheckResult(
                check=self.name,
                verdict=Verdict.INCONCLUSIVE,
                summary="nothing was held out by which probabilities could be judged",
                recommendation="train on more players: each half of them needs a held-out game",
                details={},
                advisory=True,
            )
        verdict = {True: Verdict.PASS, False: Verdict.FAIL, None: Verdict.INCONCLUSIVE}[found.holds]
        return CheckResult(
            check=self.name,
            verdict=verdict,
            summary=_summary(found),
            recommendation=_recommendation(verdict),
            details={
                "players": found.units,
                "hits": found.hits,
                "expected calibration error": found.ece,
                "brier": found.brier,
                "skill": found.skill,
                "reliability": found.to_plain(),
            },
            advisory=True,
        )


def _reliability(directory: Path) -> Reliability | None:
    plain = read_reliability(directory)
    try:
        return None if plain is None else Reliability.from_plain(plain)
    except (TypeError, KeyError) as error:
        raise ArtifactCorrupt(
            f"{directory / RELIABILITY} is no reliability ({error}); train again"
        ) from error


def _summary(found: Reliability) -> str:
    chance = "too few hits to test" if found.p_value is None else f"p = {found.p_value:.3g}"
    return (
        f"{found.misplaced:.0%} of {found.hits:,.0f} hits more or fewer than predicted, in "
        f"{len(found.bins)} bins ({chance}); Brier skill {found.skill:.3f}"
    )


def _recommendation(verdict: Verdict) -> str:
    match verdict:
        case Verdict.FAIL:
            return "do not trust min_score and the probabilities of this version: train it again"
        case Verdict.INCONCLUSIVE:
            return "take its probabilities for rough ones, or train on more players"
        case _:
            return ""
