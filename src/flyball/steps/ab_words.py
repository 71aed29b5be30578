"""What the looks of an A/B test say, in a value and in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flyball.domain.ab_test import AbLook, AbTest
from flyball.stats.experiments.verdicts import Answer, Design, Finding, Look, decide
from flyball.steps.ab_ledger import Story


@dataclass(frozen=True, slots=True, kw_only=True)
class AbStatus:
    """A test and what is known of it.

    Attributes:
        test: as it was registered.
        digest: of that, as the ledger has it.
        looks: those taken.
        finding: what they say; None where none could be judged.
        answer: of the test; ``NOT_YET`` while it goes on.
        reason: the answer in a sentence with the numbers.
        next_look_at: when the next one is due; None where the test is over.
    """

    test: AbTest
    digest: str
    looks: tuple[AbLook, ...]
    finding: Finding | None
    answer: Answer
    reason: str
    next_look_at: datetime | None


def told(test: AbTest, looks: Sequence[AbLook], story: Story) -> AbStatus:
    """How a test stands after these looks."""
    finding = _finding(test, looks)
    over = story.end is not None or story.split_over is not None or len(looks) == len(test.looks)
    answer = finding.answer if finding else Answer.NOT_YET
    if answer is Answer.NOT_YET and over:
        answer = Answer.CANNOT_TELL
    ended = answer is not Answer.NOT_YET
    return AbStatus(
        test=test,
        digest=story.digest,
        looks=tuple(looks),
        finding=finding,
        answer=answer,
        reason=_reason(test, looks, finding, story),
        next_look_at=None if ended else test.due_at(len(looks) + 1),
    )


def answered(test: AbTest, looks: Sequence[AbLook]) -> bool:
    """Whether the looks say enough."""
    finding = _finding(test, looks)
    return finding is not None and finding.final


def _finding(test: AbTest, looks: Sequence[AbLook]) -> Finding | None:
    usable = [
        Look(fraction=test.looks[seen.number - 1], difference=seen.difference, error=seen.error)
        for seen in looks
        if not seen.too_little and not seen.suspect and seen.error > 0.0
    ]
    return decide(usable, design(test)) if usable else None


def design(test: AbTest) -> Design:
    """How a test is judged.

    Raises:
        InvalidRequest: it makes no test; says why.
    """
    return Design(
        looks=test.looks,
        minimal_effect=test.minimal_effect,
        alpha=test.alpha,
        spending=test.spending,
    )


def _reason(test: AbTest, looks: Sequence[AbLook], finding: Finding | None, story: Story) -> str:
    if finding is not None and finding.final:
        return _numbers(test, looks[test.looks.index(finding.fraction)], finding)
    if looks and (looks[-1].suspect or looks[-1].too_little):
        return looks[-1].suspect or looks[-1].too_little
    if story.end is not None:
        return story.end.reason
    if story.split_over is not None:
        return f"the split ended at {story.split_over:%Y-%m-%d %H:%M} UTC, before the horizon"
    if finding is not None:
        return _numbers(test, looks[-1], finding)
    return f"the first look is due at {test.due_at(1):%Y-%m-%d %H:%M} UTC"


def _numbers(test: AbTest, seen: AbLook, finding: Finding) -> str:
    one = finding.estimate
    little = ", less than what matters" if finding.smaller and one.low * one.high > 0 else ""
    return (
        f"{test.metric} per {test.per}: B - A = {one.value:+.4g} (between {one.low:+.4g} and "
        f"{one.high:+.4g}{little}) where A has {seen.a:.4g}; differences below "
        f"{test.minimal_effect:.4g} do not matter"
    )


def registered_as(test: AbTest) -> str:
    """What was registered, in a sentence."""
    return (
        f"A/B test of {test.b} (B, {test.share:.0%}) against {test.a} (A): {test.metric} per "
        f"{test.per}, {len(test.looks)} looks until {test.ends_at:%Y-%m-%d %H:%M} UTC, differences "
        f"below {test.minimal_effect:.4g} do not matter, error {test.alpha:g}"
    )


def seen_as(seen: AbLook) -> str:
    """What a look saw, in a sentence."""
    if seen.too_little or seen.suspect:
        return seen.too_little or seen.suspect
    return (
        f"look {seen.number}: {seen.users_a} and {seen.users_b} users, B - A = "
        f"{seen.difference:+.4g}, standard error {seen.error:.3g}"
    )
