"""A/B tests, as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType

from flyball.cli.views.words import below, facts, number, table
from flyball.domain.text import many

if TYPE_CHECKING:
    from flyball.domain.ab_test import AbTest
    from flyball.steps.ab_evidence import AbEvidence
    from flyball.steps.ab_words import AbStatus


def started(found: AbStatus) -> Iterator[RenderableType]:
    """What was registered, and what happens now."""
    test = found.test
    yield f"{test.id} is registered: digest {found.digest[:16]}"
    yield facts(_registered(test))
    yield below(f"The rollout is held meanwhile. See: flyball ab status {test.model}")


def stands(found: AbStatus) -> Iterator[RenderableType]:
    """The answer, what it rests on, and what may be decided."""
    test = found.test
    yield f"{test.id}: {found.answer}"
    yield found.reason
    yield below(facts(_registered(test)))
    if found.looks:
        yield below(_looks(found))
    if found.next_look_at is not None:
        yield below(f"next look: {found.next_look_at:%Y-%m-%d %H:%M} UTC")
    else:
        yield below(
            f"It is over; its rollout stays as it is until somebody decides:\n"
            f"  flyball promote {test.model} {test.b}\n"
            f"  flyball abort {test.model} {test.b}"
        )


def listed(model: str, found: Sequence[AbStatus]) -> Iterator[RenderableType]:
    """One line a test."""
    if not found:
        yield f"{model} has no A/B test; `flyball ab start {model}` registers one"
        return
    made = table("Test", "Began", "Metric", "A", "B", "Looks", "Answer", keep=("Test",))
    for one in found:
        test = one.test
        made.add_row(
            test.id,
            f"{test.began_at:%Y-%m-%d %H:%M}",
            f"{test.metric} per {test.per}",
            test.a,
            test.b,
            f"{len(one.looks)} of {len(test.looks)}",
            one.answer,
        )
    yield made


def evidence(found: AbEvidence) -> Iterator[RenderableType]:
    """What the logs say, and whether that is enough."""
    sought = found.sought
    yield (
        f"{found.version} beside {sought.shown}, {sought.metric} per item, "
        f"{many(found.lists, 'list')} from {sought.since:%Y-%m-%d %H:%M} to "
        f"{sought.until:%Y-%m-%d %H:%M} UTC"
    )
    made = table("Estimate", "As shown", "Difference", "From", "To", "Users", "Worth", "Support")
    estimates = [one for one in (found.snips, found.doubly_robust) if one is not None]
    for one in estimates:
        numbers = (one.difference, one.low, one.high)
        made.add_row(
            one.method,
            number(one.baseline),
            *("" if value is None else f"{value:+.4g}" for value in numbers),
            f"{one.users:,}",
            f"{one.effective_users:,.0f}",
            f"{one.support:.0%}",
        )
    if estimates:
        yield made
    if found.insufficient:
        yield below(f"insufficient evidence: {found.insufficient}")


def _registered(test: AbTest) -> list[tuple[str, RenderableType]]:
    return [
        ("A", f"{test.a} (champion, {1 - test.share:.0%} of users)"),
        ("B", f"{test.b} ({test.share:.0%} of users, rollout {test.deployment})"),
        ("metric", f"{test.metric} per {test.per}"),
        ("matters from", number(test.minimal_effect)),
        ("horizon", f"{test.began_at:%Y-%m-%d %H:%M} to {test.ends_at:%Y-%m-%d %H:%M} UTC"),
        ("looks", ", ".join(f"{part:.0%}" for part in test.looks)),
        ("error", f"{test.alpha:g}, spent as {test.spending}"),
        ("registered by", test.by),
    ]


def _looks(found: AbStatus) -> RenderableType:
    made = table("Look", "Users A", "Users B", "A", "B", "B - A", "Error", "CUPED", "Boundary")
    bounds = _bounds(found)
    for look in found.looks:
        bound = bounds.get(look.number)
        made.add_row(
            str(look.number),
            f"{look.users_a:,}",
            f"{look.users_b:,}",
            number(look.a),
            number(look.b),
            f"{look.difference:+.4g}",
            f"{look.error:.3g}",
            f"-{look.reduction:.0%}",
            "" if bound is None else f"{bound:.2f} errors",
        )
    unjudged = sum(1 for look in found.looks if look.too_little or look.suspect)
    made.caption = f"{many(unjudged, 'look')} not judged" if unjudged else None
    return made


def _bounds(found: AbStatus) -> dict[int, float]:
    """The boundary of each look that was judged; all of them where each added information."""
    judged = [look for look in found.looks if not look.too_little and not look.suspect]
    if found.finding is None or len(found.finding.bounds) != len(judged):
        return {}
    return {look.number: bound for look, bound in zip(judged, found.finding.bounds, strict=True)}
