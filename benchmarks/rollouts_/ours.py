"""Flyball's judge on a made rollout, with a look every second.

Calling it 1,800 times for each of 14,000 rollouts would take hours, so its evidence of harm is
first computed for all seconds at once (``paths``: the same formula on arrays). The judge itself is
asked at every second where any evidence reaches its level, which alone can make it say FAIL, until
it does; and at random other seconds, where the evidence must be what ``paths`` says and the verdict
not FAIL. A disagreement ends the benchmark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.rollouts_.streams import SHARES, Floats, Ints, Rng, Stream
from flyball.domain.judging import Judgement, Measure, Moments, Promises, Seen, Split, Worth
from flyball.domain.validation import Verdict
from flyball.stats import latency
from flyball.stats.sequential import means, mismatch, parts, split
from flyball.stats.sequential.judge import judge

PROMISES = Promises()
HARMS = {
    "errors": (Measure.FAILED, False),
    "latency": (Measure.SLOW, False),
    "clicks": (Measure.CLICKED, True),
    "purchases": (Measure.PURCHASED, True),
}
"""What is judged by splits, and whether harm is less of it."""

VALUE_EVERY_S = 30
"""Sums of what users bought are costly to make here, so value is looked at twice a minute."""

_AUDITS = 2


class Disagreement(Exception):
    """The judge and its formula on arrays differ."""


def hits(stream: Stream, measure: Measure) -> Ints:
    """Units hit so far, by version, second and step: shape (2, seconds, steps)."""
    alone = np.arange(len(SHARES)) == stream.step[:, None]
    return np.cumsum(stream.firsts[measure][:, :, None] * alone, axis=1)


def paths(counts: Ints, *, less: bool) -> Floats:
    """``split.log_evidence`` (``_below`` if ``less``) with restarts, after each second."""
    champion, own = counts[::-1] if less else counts
    shares = 1.0 - np.asarray(SHARES) if less else np.asarray(SHARES)
    odds = (shares / (1.0 - shares))[:, None]
    growth = np.log1p(odds * split._RATIOS) - np.log1p(odds)
    terms = own[..., None] * split._EFFECTS - (own + champion)[..., None] * growth
    since = np.cumsum(terms[:, ::-1], axis=1)[:, ::-1] + split._LOG_WEIGHTS
    weights = _starts(own + champion)
    with np.errstate(divide="ignore"):
        begun = since + np.log(weights)[..., None]
        waiting = np.log(1.0 - weights.sum(axis=1))
    every = np.concatenate([begun.reshape(len(begun), -1), waiting[:, None]], axis=1)
    top = every.max(axis=1)
    return np.asarray(top + np.log(np.exp(every - top[:, None]).sum(axis=1)))


def _starts(totals: Ints) -> Floats:
    """Weights of a change that begins with a step, by second; a step without hits has none."""
    any_hit = totals > 0
    order = np.cumsum(any_hit, axis=1) - 1
    later = (1.0 - split.FROM_THE_START) * 0.5 ** np.maximum(order, 1)
    return np.where(any_hit, np.where(order == 0, split.FROM_THE_START, later), 0.0)


@dataclass(frozen=True)
class Ruling:
    """What the judge said of a rollout.

    Attributes:
        second: when it failed; None: never.
        why: what failed first; ``""`` where nothing did.
        suspect: whether a proper split was taken for an improper one, looking once a minute.
    """

    second: int | None
    why: str
    suspect: bool


class Rollout:
    """A stream as the judge sees it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.counts = {measure: hits(stream, measure) for measure in Measure}
        self.requests = np.cumsum(stream.requests[1])
        self.errors = np.cumsum(stream.errors[1])
        self.began = np.searchsorted(stream.step, np.arange(len(SHARES)))
        took, second, arm = stream.latency
        self._took = np.searchsorted(np.asarray(latency.BOUNDS), took[arm == 1], side="left")
        self._second = second[arm == 1]

    def seen(self, at: int) -> Seen:
        """Everything up to and including a second."""
        step = int(self.stream.step[at])
        splits = {measure: self.splits(measure, at) for measure in Measure}
        upto = int(np.searchsorted(self._second, at, side="right"))
        before = int(self.began[step])
        return Seen(
            splits=splits,
            worth=self.worth(at),
            requests=int(self.requests[at]),
            errors=int(self.errors[at]),
            latency=tuple(np.bincount(self._took[:upto], minlength=latency.BUCKETS).tolist()),
            step_requests=int(self.requests[at] - (self.requests[before - 1] if before else 0)),
            failed_units=sum(each.challenger for each in splits[Measure.FAILED]),
        )

    def splits(self, measure: Measure, at: int) -> tuple[Split, ...]:
        """Of a measure, by step up to a second."""
        counts = self.counts[measure][:, at]
        return tuple(
            Split(share=SHARES[k], champion=int(counts[0, k]), challenger=int(counts[1, k]))
            for k in range(int(self.stream.step[at]) + 1)
        )

    def worth(self, at: int) -> tuple[Worth, ...]:
        """What users bought in the step in which they were first seen."""
        second, step, arm, user, price = self.stream.sales
        upto = int(np.searchsorted(second, at, side="right"))
        sums = np.bincount(user[:upto], price[:upto])
        _, first = np.unique(user[:upto], return_index=True)
        found = []
        for k, share in enumerate(SHARES[: int(self.stream.step[at]) + 1]):
            by_arm = []
            for version in (0, 1):
                buyers = first[(step[first] == k) & (arm[first] == version)]
                each = sums[user[buyers]]
                units = int(self.counts[Measure.SEEN][version, at, k])
                total, squares = float(each.sum()), float(each @ each)
                by_arm.append(Moments(count=units, total=total, squares=squares))
            found.append(Worth(share=share, champion=by_arm[0], challenger=by_arm[1]))
        return tuple(found)


def ruling(stream: Stream, rng: Rng) -> Ruling:
    """When and why the judge would have rolled back.

    Raises:
        Disagreement: see above.
    """
    rollout = Rollout(stream)
    found = {
        what: paths(rollout.counts[measure], less=less) for what, (measure, less) in HARMS.items()
    }
    second, why = None, ""
    for at in _candidates(rollout, found):
        judgement = judge(rollout.seen(at), PROMISES)
        if judgement.verdict is Verdict.FAIL:
            second, why = at, next(p.what for p in judgement.parts if p.verdict is Verdict.FAIL)
            break
    end = stream.seconds if second is None else second
    for at in rng.integers(0, end, _AUDITS).tolist() if end else []:
        expected = {what: float(path[at]) for what, path in found.items()}
        _audit(judge(rollout.seen(at), PROMISES), expected)
    return Ruling(second, why, _suspected(rollout))


def _suspected(rollout: Rollout) -> bool:
    level = -math.log(mismatch.CERTAIN)
    looks = range(59, rollout.stream.seconds, 60)
    return any(mismatch.log_evidence(rollout.splits(Measure.SEEN, at)) >= level for at in looks)


def _candidates(rollout: Rollout, found: dict[str, Floats]) -> Iterator[int]:
    """The seconds at which the judge might say FAIL, in order."""
    reached = np.zeros(rollout.stream.seconds, np.bool_)
    for what, path in found.items():
        reached |= path >= parts.level(what, PROMISES) - 1e-9
    needed = parts.level("value", PROMISES) - 1e-9
    for at in range(rollout.stream.seconds):
        looked = at % VALUE_EVERY_S == VALUE_EVERY_S - 1
        less = looked and means.log_evidence(rollout.worth(at), more=False) >= needed
        if reached[at] or less:
            yield at


def _audit(judgement: Judgement, expected: dict[str, float]) -> None:
    harm = {p.what: p.figures["harm"] for p in judgement.parts if p.what in expected}
    same = all(math.isclose(harm[what], expected[what], abs_tol=1e-6) for what in expected)
    if not same or judgement.verdict is Verdict.FAIL:
        raise Disagreement(f"judge: {judgement}, arrays: {expected}; mend benchmarks/rollouts_")


def passed(stream: Stream, *, every_s: int = 10) -> list[int | None]:
    """For each step, the seconds after which it was first passed; None where it was not."""
    rollout, times = Rollout(stream), []
    for step, began in enumerate(rollout.began.tolist()):
        length = int((stream.step == step).sum())
        after = (
            s
            for s in range(every_s, length, every_s)
            if judge(rollout.seen(began + s), PROMISES).verdict is Verdict.PASS
        )
        times.append(next(after, None))
    return times
