"""Accuracy: better than the baseline for sure, and not worse than the champion by much.

Where the search found nothing better than the baseline itself, the baseline is what there is to
serve: it is compared with the champion alone, and passes where nothing serves yet.

All three models are judged on one fold, unit by unit (player by player), so that differences are
paired; how sure we may be of their mean is a bootstrap interval at 95%.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from flyball.domain.validation import CheckResult, Verdict
from flyball.errors import ConfigurationError
from flyball.ports import CheckContext, Evaluation, Model
from flyball.stats.bootstrap import Interval, paired_bootstrap

RESAMPLES = 2000
SEED = 20110523
"""Of the resampling; fixed, so that the same models get the same interval."""


class Accuracy:
    """The objective of the candidate against the baseline's and the champion's.

    Args:
        model: finds the model class of a family; default the installed plug-ins.
    """

    name: ClassVar[str] = "accuracy"

    def __init__(self, model: Callable[[str], type[Model]] | None = None) -> None:
        self._model = model or _plug_in

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            ConfigurationError: the application does not measure the objective.
            ArtifactCorrupt: an artifact cannot be read.
        """
        fold = context.prepared.final
        candidate = self._artifact(context, context.candidate.artifact)
        against = []
        if context.candidate.family != context.prepared.baseline:
            baseline = self._baseline(context, fold)
            against.append(_against_baseline(context, candidate, baseline))
        if context.champion is not None:
            if taught := taught_what_is_asked(context):
                return _not_comparable(context, candidate, taught)
            champion = self._artifact(context, context.champion.artifact)
            against.append(_against_champion(context, candidate, champion))
        verdict = min((Verdict(one["verdict"]) for one in against), key=_ORDER.index, default=PASS)
        value = float(candidate.mean())
        return CheckResult(
            check=self.name,
            verdict=verdict,
            summary=_summary(context.objective, value, against),
            recommendation=_recommendation(verdict, against),
            details={
                "objective": context.objective,
                "units": len(candidate),
                "candidate": value,
                "intervals": against,
            },
        )

    def _artifact(self, context: CheckContext, digest: str) -> np.ndarray:
        directory = context.blobs.get(digest, verify=True)
        fold = context.prepared.final
        return _units(context, context.application.evaluate_artifact(directory, fold))

    def _baseline(self, context: CheckContext, fold: Any) -> np.ndarray:
        kind = self._model(context.prepared.baseline)
        fitted = kind.fit(fold.train, kind.Config())
        return _units(context, context.application.evaluate(fitted, fold))


def taught_what_is_asked(context: CheckContext) -> str:
    """Why the champion cannot be judged on this fold, which it learnt from; empty if it can."""
    mine, theirs = context.prepared.split, context.champion_split
    if not theirs or not mine.get("kind"):
        return ""
    if mine["kind"] != theirs.get("kind"):
        return f"its data was split otherwise ({theirs.get('kind')}, not {mine['kind']})"
    if mine.get("cutoff") is not None and theirs.get("cutoff", 0.0) > mine["cutoff"]:
        return (
            f"it learnt from rows up to day {theirs['cutoff']:g}, and is asked for what came after "
            f"day {mine['cutoff']:g}"
        )
    return ""


def _not_comparable(context: CheckContext, candidate: np.ndarray, why: str) -> CheckResult:
    assert context.champion is not None
    value = float(candidate.mean())
    return CheckResult(
        check=Accuracy.name,
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{context.objective} {value:.4f}; the champion {context.champion.name} knows part "
        f"of the answers, so it is not compared: {why}",
        recommendation="look at both versions' reports and let an operator decide, or train the "
        "champion's recipe again on this data and compare with that",
        details={"objective": context.objective, "units": len(candidate), "candidate": value},
    )


def _plug_in(family: str) -> type[Model]:
    from flyball import plugins

    return plugins.model(family)


def _units(context: CheckContext, evaluation: Evaluation) -> np.ndarray:
    if context.objective not in evaluation.units:
        raise ConfigurationError(
            f"{context.application.name} does not measure the objective {context.objective!r}; "
            f"it measures {', '.join(sorted(evaluation.units))}"
        )
    return evaluation.units[context.objective]


def _against_baseline(
    context: CheckContext, candidate: np.ndarray, baseline: np.ndarray
) -> dict[str, Any]:
    """Superiority: the whole interval of the difference above zero."""
    gap = paired_bootstrap(candidate, baseline, seed=SEED, resamples=RESAMPLES)
    verdict = Verdict.FAIL if gap.high <= 0.0 else _judged(gap, above=0.0)  # equal is no gain
    return _compared(f"the baseline ({context.prepared.baseline})", baseline, gap, 0.0, verdict)


def _against_champion(
    context: CheckContext, candidate: np.ndarray, champion: np.ndarray
) -> dict[str, Any]:
    """Non-inferiority: the whole interval above the loss that is allowed."""
    assert context.champion is not None
    gap = paired_bootstrap(candidate, champion, seed=SEED, resamples=RESAMPLES)
    bound = -context.limits.max_loss * float(champion.mean())
    verdict = _judged(gap, above=bound)
    return _compared(f"the champion {context.champion.name}", champion, gap, bound, verdict)


def _judged(gap: Interval, *, above: float) -> Verdict:
    if gap.low > above:
        return Verdict.PASS
    return Verdict.FAIL if gap.high < above else Verdict.INCONCLUSIVE


def _compared(
    label: str, other: np.ndarray, gap: Interval, bound: float, verdict: Verdict
) -> dict[str, Any]:
    return {
        "against": label,
        "value": float(other.mean()),
        "difference": gap.mean,
        "low": gap.low,
        "high": gap.high,
        "bound": bound,
        "verdict": str(verdict),
    }


PASS = Verdict.PASS
_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE, PASS)


def _summary(objective: str, value: float, against: Sequence[Mapping[str, Any]]) -> str:
    if not against:
        return f"{objective} {value:.4f} of the baseline itself: the search found nothing better"
    parts = [
        f"{one['against']} {one['value']:.4f} (difference {one['difference']:+.4f}, "
        f"95% {one['low']:+.4f} to {one['high']:+.4f}; must exceed {one['bound'] or 0:.4g})"
        for one in against
    ]
    return f"{objective} {value:.4f} against {' and '.join(parts)}"


def _recommendation(verdict: Verdict, against: Sequence[Mapping[str, Any]]) -> str:
    culprit = next((one["against"] for one in against if one["verdict"] == verdict), "")
    match verdict:
        case Verdict.FAIL:
            return (
                f"it does not do well enough against {culprit}: search longer (--trials), "
                "or train on more and newer data"
            )
        case Verdict.INCONCLUSIVE:
            return (
                f"there is too little data to tell it from {culprit}: validate it on more users, "
                "or let an operator decide"
            )
        case _:
            return ""
