"""Leakage: whether what the candidate is judged by was kept from what it learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from flyball.domain.validation import CheckResult, Verdict
from flyball.errors import TrainingError
from flyball.games.checks.desk import LEAST, SEED, Desk, Learning, Values, accuracy, desk, refitted
from flyball.games.joining import owned
from flyball.games.listing import Listing
from flyball.games.preparation import interactions
from flyball.games.splitting import divided
from flyball.recommend.interactions import Interactions
from flyball.recommend.leakage import (
    changed_after,
    later_rows,
    missing_pairs,
    same_rows,
    shared_pairs,
)
from flyball.recommend.ranking import rank
from flyball.stats.bootstrap import paired_bootstrap

if TYPE_CHECKING:
    from flyball.games.artifact import Artifact
    from flyball.ports import CheckContext
    from flyball.recommend.split import Fold

KNOWS_MORE = 0.02
"""The share of NDCG@10 that the packaged model may have more than the same recipe that learns
again: another machine rounds otherwise."""

SUSPICIOUS, IMPOSSIBLE = 1.5, 2.5
"""How many times the NDCG@10 of the search's validation part that of the final part may be before
an operator must look, and before it fails. Honest splits of Steam's games, of its reviews by time
and of the simulated players gave 0.9 to 1.3."""


class Finding(NamedTuple):
    """What one probe says; ``suspicious``: it has data enough to be inconclusive for a reason."""

    probe: str
    verdict: Verdict
    found: str
    suspicious: bool = False


class Leakage(Learning):
    """Six probes; the worst of them is the verdict.

    Pairs in both parts; training rows of later than is foretold; what the split makes of it where
    the future is changed; a packaged model that knows more than its recipe can have learnt; more
    accuracy than the search ever saw; and packaged histories that lack what players have.
    """

    name: ClassVar[str] = "leakage"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge.

        Raises:
            ArtifactCorrupt: the artifact cannot be read.
            ValidationError: the candidate's scores cannot be ranked.
        """
        at = desk(context)
        findings = [
            _both_parts(at.fold),
            _later(at.fold),
            _future(context, at.fold),
            _packaged(at.artifact(context, context.candidate), at.fold),
        ]
        if not shared_pairs(at.fold):  # else no list can be ranked
            findings += [self._knows_more(context, at), self._canary(context, at)]
        verdict = min((one.verdict for one in findings), key=_ORDER.index)
        return CheckResult(
            check=self.name,
            verdict=verdict,
            summary=_summary(findings, verdict),
            recommendation=_recommendation(verdict),
            details={
                "probes": [
                    {"probe": one.probe, "verdict": str(one.verdict), "found": one.found}
                    for one in findings
                ]
            },
            advisory=not any(one.suspicious for one in findings),
        )

    def _knows_more(self, context: CheckContext, at: Desk) -> Finding:
        """The packaged model beside its recipe, learnt again from the training part alone."""
        probe = "the packaged model knows no more than its recipe"
        candidate = context.candidate
        ours = accuracy(at.judged(context, candidate))
        if len(ours) < LEAST:
            return Finding(probe, Verdict.INCONCLUSIVE, f"{len(ours)} players say too little")
        try:
            again = self._learnt(context, at.fold, again=True)
        except TrainingError as error:
            return Finding(probe, Verdict.INCONCLUSIVE, f"it cannot learn again: {error}")
        gap = paired_bootstrap(ours, again, seed=SEED)
        too_much = gap.low > 0.0 and gap.mean > KNOWS_MORE * float(again.mean())
        return Finding(
            probe,
            Verdict.FAIL if too_much else Verdict.PASS,
            f"ndcg@10 {ours.mean():.4f}, learnt again {again.mean():.4f}",
        )

    def _canary(self, context: CheckContext, at: Desk) -> Finding:
        """The recipe on the final part and on the search's validation part, with as many games of
        each as the search looked at first: two small fits tell."""
        probe = "the final part is about as hard as the validation part"
        inner = context.prepared.search[0]
        final = at.fold.narrowed(inner.n_items)
        players = min(len(final.test_users), len(inner.test_users))
        if players < LEAST:
            return Finding(probe, Verdict.INCONCLUSIVE, f"{players} players say too little")
        try:
            ours, there = (self._learnt(context, fold) for fold in (final, inner))
        except TrainingError as error:
            return Finding(probe, Verdict.INCONCLUSIVE, f"it cannot learn there: {error}")
        ratio, least = ratio_of_means(ours, there)
        verdict = Verdict.FAIL if least > IMPOSSIBLE else Verdict.PASS
        if verdict is Verdict.PASS and least > SUSPICIOUS:
            verdict = Verdict.INCONCLUSIVE
        return Finding(
            probe,
            verdict,
            f"ndcg@10 {ours.mean():.4f} of the {inner.n_items} most popular games, "
            f"{there.mean():.4f} in validation: {ratio:.2f} times as much",
            suspicious=least > SUSPICIOUS,
        )

    def _learnt(self, context: CheckContext, fold: Fold, *, again: bool = False) -> Values:
        """NDCG@10 of the recipe learnt from the fold; ``again``: as it was packaged."""
        family, given = context.candidate.family, context.candidate.recipe.hyperparameters
        kind = self._families(family)
        if again:
            return accuracy(rank(refitted(self._families, family, given, fold.train, fold), fold))
        return accuracy(rank(kind.fit(fold.train, kind.Config(**given)), fold))


def ratio_of_means(one: Values, other: Values) -> tuple[float, float]:
    """The mean of ``one`` over that of ``other``, and the lower end of its 95% interval.

    By the delta method; the two are of different players, so they are taken as independent.
    """
    floor = 1e-9
    ratio = float(one.mean()) / max(float(other.mean()), floor)
    spread = [v.std(ddof=1) / max(v.mean(), floor) / len(v) ** 0.5 for v in (one, other)]
    return ratio, ratio * (1.0 - 1.96 * float(np.hypot(*spread)))


_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


def _both_parts(fold: Fold) -> Finding:
    n = shared_pairs(fold)
    verdict = Verdict.FAIL if n else Verdict.PASS
    return Finding("no held-out pair is in training", verdict, f"{n} of {fold.test.nnz} are")


def _later(fold: Fold) -> Finding:
    n = later_rows(fold)
    probe = "no training row is later than the day of the question"
    if n is None:
        return Finding(probe, Verdict.PASS, "not split by time: rows have no order")
    return Finding(
        probe, Verdict.FAIL if n else Verdict.PASS, f"{n} of {fold.train.matrix.nnz} are"
    )


def _future(context: CheckContext, fold: Fold) -> Finding:
    """Change every row after the day of the question; what is learnt from must not move."""
    probe = "what is learnt from does not move where the future is changed"
    if fold.as_of is None or not len(fold.as_of):
        return Finding(probe, Verdict.PASS, "not split by time: no row is the future")
    cutoff = float(fold.as_of.max())
    pairs = interactions(owned(context.tables, Listing.of(context.tables)))
    changed = changed_after(pairs, cutoff, seed=SEED)
    moved = int((changed["item_id"] != pairs["item_id"]).sum())
    if not moved:
        return Finding(probe, Verdict.INCONCLUSIVE, "no later row could be changed")
    again = divided(changed, seed=0).final.train
    same = same_rows(again, fold.train)
    return Finding(
        probe,
        Verdict.PASS if same else Verdict.FAIL,
        f"{moved} later rows changed, the training part is {'the same' if same else 'another'}",
    )


def _packaged(artifact: Artifact, fold: Fold) -> Finding:
    """All that players have, the held-out part too: else they are recommended what they own."""
    shape = (len(artifact.users), len(artifact.items))
    parts = (np.ones(len(artifact.indices), np.float32), artifact.indices, artifact.indptr)
    users = np.array([user.decode() for user in artifact.users.tolist()], dtype=np.str_)
    held = Interactions(users, np.array(artifact.items), csr_matrix(parts, shape=shape))
    whole = csr_matrix(fold.train.matrix + fold.test)
    n = missing_pairs(held, fold.train.users, fold.train.items, whole)
    verdict = Verdict.FAIL if n else Verdict.PASS
    return Finding("packaged histories are whole", verdict, f"{n} of {whole.nnz} pairs are missing")


def _summary(findings: Sequence[Finding], verdict: Verdict) -> str:
    if verdict is Verdict.PASS:
        return f"{len(findings)} probes found none; {findings[-1].found}"
    return "; ".join(
        f"not so: {one.probe} ({one.found})" for one in findings if one.verdict is verdict
    )


def _recommendation(verdict: Verdict) -> str:
    match verdict:
        case Verdict.FAIL:
            return "what it is worth is not known: correct the split or the packaging, train again"
        case Verdict.INCONCLUSIVE:
            return "an operator should look at the split and at how the score came about"
        case _:
            return ""
