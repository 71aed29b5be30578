"""The judge of a rollout: everything seen so far against everything promised, as often as wanted.

    judge(seen, promises).verdict

FAIL: something is shown to be worse than with the champion, or broke. PASS: all that must be shown
before the next step is shown. Anything else, and no data above all, is INCONCLUSIVE. Each unit
counts once in a rollout, at the first thing of a kind that happens to it, so requests of a client,
which depend on one another, are one piece of evidence (see ``flyball.domain.judging``).

Over a whole rollout, with looks at every instant: a version that is no worse fails with a
probability of at most ``Promises.false_alarm`` (divided over the tests by ``parts.HARM``), and
harm beyond what is tolerable is taken for tolerable with at most ``parts.TOLERABLE`` in each
measure. What is shown to be tolerable does not fail for being slightly worse than the champion.
"""

from __future__ import annotations

from collections.abc import Mapping

from flyball.domain.judging import Judged, Judgement, Measure, Promises, Seen
from flyball.domain.validation import Verdict
from flyball.errors import InvalidRequest
from flyball.stats.sequential import parts, split

_SKEWED = 2.0
"""A split that is not as drawn hides no failures that are this many times beyond its skew."""


def judge(seen: Seen, promises: Promises, *, last: bool = False) -> Judgement:
    """Judge a rollout by everything that it showed so far. Pure; takes well under 1 ms.

    Args:
        seen: counts over the whole rollout, by step.
        promises: what it is held to.
        last: whether the next step is full traffic, before which growth may be wanted.

    Raises:
        InvalidRequest: a promise names something that is not judged, or a count or share is out of
            range.
    """
    _check(promises)
    found = _parts(seen, promises)
    by_name = {part.what: part for part in found}
    suspect = bool(seen.splits.get(Measure.SEEN)) and by_name["split"].verdict is not Verdict.PASS
    failed = [part for part in found if part.verdict is Verdict.FAIL]
    if failed and (not suspect or seen.stopped or _beyond_skew(seen, promises)):
        return _judgement(Verdict.FAIL, _sentence(failed[0]), found, suspect)
    if suspect:
        return _judgement(Verdict.INCONCLUSIVE, _sentence(by_name["split"]), found, suspect)
    waiting = _waiting(seen, promises, by_name, last=last)
    if waiting:
        return _judgement(Verdict.INCONCLUSIVE, waiting, found, suspect)
    shown = [_sentence(by_name[what]) for what in promises.decisive]
    return _judgement(Verdict.PASS, "; ".join(shown) or "no harm is shown", found, suspect)


def _parts(seen: Seen, promises: Promises) -> tuple[Judged, ...]:
    compared = (parts.errors(seen, promises), parts.slowness(seen, promises))
    return (
        parts.crash(seen),
        parts.drawn(seen),
        parts.service_level(seen, promises, compared),
        *compared,
        parts.engagement(seen, promises, "clicks", Measure.CLICKED),
        parts.engagement(seen, promises, "purchases", Measure.PURCHASED),
        parts.value(seen, promises),
    )


def _waiting(seen: Seen, promises: Promises, by_name: Mapping[str, Judged], *, last: bool) -> str:
    """What is still to be shown before the step is passed; empty where nothing is."""
    needed = max(1, promises.min_requests)
    if seen.step_requests < needed:
        return f"{seen.step_requests} of the {needed} answers that each step needs"
    unsure = [part for part in by_name.values() if parts.suspected(part)]
    if unsure:
        return f"may be worse, wait: {_sentence(unsure[0])}"
    for what in promises.decisive:
        if by_name[what].verdict is not Verdict.PASS:
            return f"not sure yet: {_sentence(by_name[what])}"
    if last and promises.superior and not parts.grown(by_name[promises.superior]):
        return f"not shown to have grown: {_sentence(by_name[promises.superior])}"
    return ""


def _check(promises: Promises) -> None:
    for what in (*promises.decisive, promises.superior or "errors"):
        if what not in parts.HARM:
            raise InvalidRequest(
                f"{what!r} is not judged; a rollout can be decided by {', '.join(parts.HARM)}"
            )
    if promises.superior in ("errors", "latency"):
        raise InvalidRequest(f"{promises.superior} need not grow; ask it of clicks, for example")
    if not 0.0 < promises.false_alarm < 1.0:
        raise InvalidRequest(f"false_alarm is a share in (0, 1), not {promises.false_alarm}")


def _beyond_skew(seen: Seen, promises: Promises) -> bool:
    """Whether users fail so much more often that a wrong split can't explain it."""
    skew = max(1.0, split.ratio(seen.splits[Measure.SEEN]))
    failing = seen.splits.get(Measure.FAILED, ())
    if skew == float("inf"):
        return False
    evidence = split.log_evidence(failing, above=_SKEWED * skew, restarts=True)
    return evidence >= parts.level("errors", promises)


def _sentence(part: Judged) -> str:
    return part.detail if part.what == "crash" else f"{part.what}: {part.detail}"


def _judgement(
    verdict: Verdict, reason: str, found: tuple[Judged, ...], suspect: bool
) -> Judgement:
    return Judgement(verdict=verdict, reason=reason, parts=found, suspect=suspect)
