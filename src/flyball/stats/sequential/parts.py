"""One judgement for each thing that a rollout is judged by; ``judge`` puts them together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from flyball.domain.judging import Judged, Measure, Promises, Seen, Split
from flyball.domain.validation import Verdict
from flyball.stats import latency
from flyball.stats.sequential import means, mismatch, quantiles, rate, split

HARM: Mapping[str, float] = MappingProxyType(
    {"errors": 0.4, "latency": 0.3, "clicks": 0.15, "purchases": 0.1, "value": 0.05}
)
"""The part of ``Promises.false_alarm`` that each test of harm may use up: they sum to 1, so that
the promise holds for all of them together (Bonferroni's inequality), however they depend on each
other. A breached service level needs no part of its own: see ``service_level``."""

TOLERABLE = 0.05
"""How often, at most, anything intolerable is ever taken for shown to be tolerable; one half for
the comparison with the champion, the other for the service level."""

SUSPICION = math.log(20.0)
"""Log evidence of harm that holds a step: as rare as one good rollout in 20, and soon over."""

P95 = 0.95

_DID = MappingProxyType(
    {
        Measure.FAILED: "met an error",
        Measure.SLOW: "waited longer than the champion's frozen p95",
        Measure.CLICKED: "clicked",
        Measure.PURCHASED: "bought",
    }
)


def level(what: str, promises: Promises) -> float:
    """Log evidence at which harm to ``what`` is shown."""
    return -math.log(promises.false_alarm * HARM[what])


def suspected(part: Judged) -> bool:
    """Whether harm is likely enough to wait, though not shown, nor shown to be tolerable."""
    return part.verdict is not Verdict.PASS and part.figures.get("harm", 0.0) >= SUSPICION


def crash(seen: Seen) -> Judged:
    """What ends a rollout without statistics."""
    verdict = Verdict.FAIL if seen.stopped else Verdict.PASS
    return Judged(what="crash", verdict=verdict, detail=seen.stopped or "nothing broke")


def drawn(seen: Seen) -> Judged:
    """Whether users are split as they were drawn; never FAIL, as it blames no version."""
    splits = seen.splits.get(Measure.SEEN, ())
    if not splits:
        return Judged(what="split", verdict=Verdict.INCONCLUSIVE, detail="no user was seen yet")
    evidence = mismatch.log_evidence(splits)
    wrong = evidence >= -math.log(mismatch.CERTAIN)
    said = f"{_own(splits)} of {_all(splits)} users got the challenger, {split.due(splits):.1f} due"
    if wrong:
        said += ": not as drawn; look for answers that are lost, repeated or sent past the draw"
    return Judged(
        what="split",
        verdict=Verdict.INCONCLUSIVE if wrong else Verdict.PASS,
        detail=said,
        figures={"evidence": evidence, "challenger": _own(splits), "due": split.due(splits)},
    )


def errors(seen: Seen, promises: Promises) -> Judged:
    """Whether more users meet errors; tolerable by comparison or by the service level."""
    if not seen.requests:
        return _rarer(seen, promises, "errors", Measure.FAILED, within=False, said="no answer yet")
    most = rate.upper(min(seen.errors, seen.requests), seen.requests, TOLERABLE / 2)
    said = (
        f"at most {most:.2%} of its {seen.requests} answers fail, "
        f"{promises.max_error_share:.2%} allowed"
    )
    within = most <= promises.max_error_share
    return _rarer(seen, promises, "errors", Measure.FAILED, within=within, said=said)


def slowness(seen: Seen, promises: Promises) -> Judged:
    """Whether more users wait; tolerable by comparison or by the service level."""
    if sum(seen.latency) == 0:
        return _rarer(seen, promises, "latency", Measure.SLOW, within=False, said="none timed yet")
    evidence = quantiles.log_evidence_quicker(seen.latency, P95, promises.max_p95_s)
    within = evidence >= -math.log(TOLERABLE / 2)
    p95 = latency.quantile(seen.latency, P95) or 0.0
    said = f"its p95 is {_ms(p95)}, {_ms(promises.max_p95_s)} allowed"
    said += "" if within else ": not sure yet"
    return _rarer(seen, promises, "latency", Measure.SLOW, within=within, said=said)


def _rarer(
    seen: Seen, promises: Promises, what: str, measure: Measure, *, within: bool, said: str
) -> Judged:
    """What should happen to few: harm is more of it.

    Args:
        within: whether the service level is shown to hold.
        said: how it stands with the service level.
    """
    splits = seen.splits.get(measure, ())
    harm, needed = split.log_evidence(splits, restarts=True), level(what, promises)
    tolerable = split.log_evidence_below(splits, below=promises.tolerance)
    alike = tolerable >= -math.log(TOLERABLE / 2)
    low, high = split.ratio_interval(splits, TOLERABLE)
    hit = _hit(splits, measure)
    if harm >= needed and not alike:
        verdict, detail = Verdict.FAIL, f"{hit}: {_more(splits, low, harm)}"
    elif alike:
        verdict = Verdict.PASS
        detail = f"{hit}: at most {_times(high)} as often, {promises.tolerance:g}x tolerable"
    elif within and harm < SUSPICION:
        verdict, detail = Verdict.PASS, f"{said}; {hit}"
    else:
        verdict = Verdict.INCONCLUSIVE
        detail = f"{hit}: {_range(low, high)} as often, {promises.tolerance:g}x tolerable; {said}"
    return Judged(
        what=what,
        verdict=verdict,
        detail=detail,
        figures=_figures(splits, low, high, harm=harm, needed=needed, tolerable=tolerable),
    )


def service_level(seen: Seen, promises: Promises, compared: Sequence[Judged]) -> Judged:
    """Whether the challenger breaks what is promised to users, and is to blame for it.

    Broken for everybody (an outage, a slow database) is no reason to go back to the champion, who
    does no better. So a breach fails a rollout only together with evidence of harm at its full
    level, which says that the challenger's users are hit beyond their part of the split; then no
    multiple of the champion's share is tolerable any more. That uses up no probability of a false
    alarm beyond that of the harm itself. Errors are counted by users: one whose every request
    fails is one.

    Args:
        compared: what ``errors`` and ``slowness`` said.
    """
    failing, slow = (part.figures["harm"] >= part.figures["needed"] for part in compared)
    users = min(seen.failed_units, seen.requests)
    sure = -math.log(promises.false_alarm)
    broken = rate.log_evidence_above(users, seen.requests, promises.max_error_share) >= sure
    p95 = (latency.quantile(seen.latency, P95) or 0.0) if seen.latency else 0.0
    late = p95 > promises.max_p95_s and (
        quantiles.log_evidence_slower(seen.latency, P95, promises.max_p95_s) >= sure
    )
    share = seen.errors / seen.requests if seen.requests else 0.0
    said = (
        f"{seen.errors} of its {seen.requests} answers failed ({share:.2%}; "
        f"{promises.max_error_share:.2%} allowed), to {users} users; "
        f"p95 {_ms(p95)} ({_ms(promises.max_p95_s)} allowed)"
    )
    if (broken and failing) or (late and slow):
        verdict, said = Verdict.FAIL, f"{said}: broken by the challenger, not by the champion"
    elif broken or late:
        verdict, said = Verdict.INCONCLUSIVE, f"{said}: broken, but not shown to be its own doing"
    else:
        verdict = Verdict.PASS if seen.requests else Verdict.INCONCLUSIVE
    figures = {"requests": seen.requests, "errors": seen.errors, "share": share, "p95_s": p95}
    return Judged(what="service level", verdict=verdict, detail=said, figures=figures)


def engagement(seen: Seen, promises: Promises, what: str, measure: Measure) -> Judged:
    """Whether fewer users click or buy: harm is less of it."""
    splits = seen.splits.get(measure, ())
    harm, needed = split.log_evidence_below(splits, restarts=True), level(what, promises)
    kept = 1.0 - promises.engagement_loss
    tolerable = split.log_evidence(splits, above=kept)
    growth = split.log_evidence(splits)
    low, high = split.ratio_interval(splits, TOLERABLE)
    hit = _hit(splits, measure)
    if tolerable >= -math.log(TOLERABLE):
        verdict, detail = Verdict.PASS, f"{hit}: at least {_times(low)} as often, {kept:g}x needed"
    elif harm >= needed:
        verdict, detail = Verdict.FAIL, f"{hit}: {_fewer(splits, high, harm)}"
    else:
        verdict = Verdict.INCONCLUSIVE
        detail = f"{hit}: {_range(low, high)} as often, {kept:g}x needed"
    return Judged(
        what=what,
        verdict=verdict,
        detail=detail,
        figures=_figures(
            splits, low, high, harm=harm, needed=needed, tolerable=tolerable, growth=growth
        ),
    )


def value(seen: Seen, promises: Promises) -> Judged:
    """Whether a user is worth less: asymptotic, so silent while there is little."""
    if not seen.worth:
        return Judged(what="value", verdict=Verdict.INCONCLUSIVE, detail="nothing was earned yet")
    harm, needed = means.log_evidence(seen.worth, more=False), level("value", promises)
    kept = 1.0 - promises.engagement_loss
    tolerable = means.log_evidence(seen.worth, ratio=kept)
    growth = means.log_evidence(seen.worth)
    found = means.difference(seen.worth, TOLERABLE)
    said = f"a user is worth {found.challenger:.3g} with the challenger, {found.champion:.3g} with"
    said = f"{said} the champion: {_range(found.low, found.high)} as much, {kept:g}x needed"
    verdict = Verdict.INCONCLUSIVE
    if tolerable >= -math.log(TOLERABLE):
        verdict = Verdict.PASS
    elif harm >= needed:
        verdict, said = Verdict.FAIL, f"{said}; less: evidence {_odds(harm)}"
    numbers = {"ratio": found.ratio, "low": found.low, "high": found.high}
    numbers |= {"harm": harm, "needed": needed, "tolerable": tolerable, "growth": growth}
    return Judged(what="value", verdict=verdict, detail=said, figures=_finite(numbers))


def grown(part: Judged) -> bool:
    """Whether clicks, purchases or value are shown to have grown."""
    return part.figures.get("growth", 0.0) >= -math.log(TOLERABLE)


def _own(splits: Sequence[Split]) -> int:
    return sum(each.challenger for each in splits)


def _all(splits: Sequence[Split]) -> int:
    return sum(each.challenger + each.champion for each in splits)


def _hit(splits: Sequence[Split], measure: Measure) -> str:
    if not _all(splits):
        return f"no user {_DID[measure]} yet"
    return (
        f"{_own(splits)} of {_all(splits)} users who {_DID[measure]} were the challenger's, "
        f"{split.due(splits):.1f} due by the split"
    )


def _more(splits: Sequence[Split], low: float, harm: float) -> str:
    found, least = _times(split.ratio(splits)), _times(max(1.0, low))
    return f"{found} as often, at least {least}; evidence {_odds(harm)}"


def _fewer(splits: Sequence[Split], high: float, harm: float) -> str:
    found, most = _times(split.ratio(splits)), _times(min(1.0, high))
    return f"{found} as often, at most {most}; evidence {_odds(harm)}"


def _odds(log_evidence: float) -> str:
    """What evidence means to a person."""
    if log_evidence > math.log(1e6):
        return "that less than 1 good version in a million ever gives"
    return f"that at most 1 good version in {math.exp(log_evidence):.0f} ever gives"


def _times(ratio: float) -> str:
    return "any number of times" if math.isinf(ratio) else f"{ratio:.3g}x"


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return f"at least {low:.3g}x" if low else "any number of times"
    return f"{low:.3g}x to {high:.3g}x"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"


def _figures(
    splits: Sequence[Split], low: float, high: float, **evidence: float
) -> dict[str, float]:
    counts = {"challenger": _own(splits), "hit": _all(splits), "due": split.due(splits)}
    return _finite({**counts, "ratio": split.ratio(splits), "low": low, "high": high, **evidence})


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    """What JSON can hold."""
    return {name: float(number) for name, number in numbers.items() if math.isfinite(number)}
