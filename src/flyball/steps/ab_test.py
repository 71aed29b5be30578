"""A/B tests within a rollout: registered in the ledger, looked at as registered, and answered.

The rollout is held at its share meanwhile; harm that is shown still withdraws it. Looks are worked
out from what had been received when they were due, so that it does not matter when somebody asks:
nobody can look more often than was registered, or choose a lucky moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from flyball.domain.ab_test import ENDED, LOOKED, STARTED, AbEnd, AbTest, Metric, Per, Spending
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.ledger import Entry
from flyball.errors import DeploymentError, InvalidRequest, NotFound
from flyball.ports import Change
from flyball.steps.ab_counts import Sources, counted, look
from flyball.steps.ab_ledger import Story, noted, tests
from flyball.steps.ab_words import AbStatus, answered, design, registered_as, seen_as, told
from flyball.steps.decisions import under_way
from flyball.steps.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants to know.

    Attributes:
        metric, per: what is compared.
        effect: a smaller difference does not matter; a part of A's metric, or absolute.
        relative: which of the two it is.
        horizon: how long the test takes at most.
        looks: fractions of it at which it is judged, rising to 1.
        alpha: two-sided error of the whole test.
        spending: how it is divided over the looks.
    """

    metric: Metric = Metric.CLICKS
    per: Per = Per.ITEM
    effect: float = 0.05
    relative: bool = True
    horizon: timedelta = timedelta(days=7)
    looks: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    alpha: float = 0.05
    spending: Spending = Spending.OBRIEN_FLEMING


def start(desk: Desk, model: str, wanted: Wanted, sources: Sources) -> AbTest:
    """Register a test in the rollout that is under way, and hold that at its share.

    Raises:
        DeploymentError: no rollout has traffic, it waits for approval, or a test is under way.
        InvalidRequest: the looks, the effect or the horizon make no test; or the effect is relative
            and there is nothing yet that it could be relative to.
        StaleWrite: somebody else moved the rollout at that moment.
    """
    before = tests(desk, model)
    if before and status(desk, before[-1], sources).next_look_at is not None:
        raise DeploymentError(
            f"A/B test {before[-1].id} is under way; end it with `flyball ab stop {model}` first"
        )
    if wanted.horizon > sources.kept:
        raise InvalidRequest(
            f"lists are kept for {sources.kept}, less than the horizon of {wanted.horizon}; ask "
            "for a shorter one, or keep them longer (server.keep_served)"
        )
    deployment = _rolling(desk, model)
    test = _test(desk, deployment, wanted, number=len(before) + 1)
    if wanted.relative:
        unit = _unit(test, sources, within=wanted.horizon)
        test = replace(test, minimal_effect=wanted.effect * unit)
    design(test)  # refuses what makes no test
    held = f"A/B test {test.id} until {test.ends_at:%Y-%m-%d %H:%M} UTC"
    after = replace(deployment, held=held)
    hold = desk.noted("hold", after, after=held, reason=f"A/B test {test.id}")
    begun = noted(desk, STARTED, test, test, registered_as(test))
    desk.records.commit([Change(value=after, replacing=deployment)], [begun, hold])
    return test


def _test(desk: Desk, deployment: Deployment, wanted: Wanted, *, number: int) -> AbTest:
    """What is asked, of the versions and the split that the rollout has."""
    return AbTest(
        model=deployment.model,
        number=number,
        deployment=deployment.id,
        a=deployment.replaces,
        b=deployment.version,
        share=deployment.share,
        salt=desk.route(deployment.model).salt,
        metric=wanted.metric,
        per=wanted.per,
        minimal_effect=wanted.effect,
        alpha=wanted.alpha,
        spending=wanted.spending,
        looks=wanted.looks,
        began_at=desk.clock.now(),
        horizon_s=wanted.horizon.total_seconds(),
        known_before=deployment.shifts[0].at,
        by=desk.actor,
    )


def found(desk: Desk, model: str, number: int | None = None) -> AbTest:
    """A test by its number, or the newest.

    Raises:
        NotFound: there is none.
    """
    known = tests(desk, model)
    chosen = [test for test in known if number in (None, test.number)]
    if not chosen:
        there = f"; there are 1 to {len(known)}" if known else "; `flyball ab start` registers one"
        raise NotFound(f"{model} has no A/B test{f' {number}' if number else ''}{there}")
    return chosen[-1]


def status(desk: Desk, test: AbTest, sources: Sources) -> AbStatus:
    """How a test stands. Looks that are due are taken and written to the ledger, and so is its end.

    Raises:
        StorageUnavailable: lists or events cannot be read.
    """
    story = Story.of(desk, test)
    looks, entries = list(story.looks), list[Entry]()
    while story.end is None and not answered(test, looks) and len(looks) < len(test.looks):
        due = test.due_at(len(looks) + 1)
        if due > desk.clock.now() or (story.split_over is not None and due > story.split_over):
            break
        taken = look(test, len(looks) + 1, sources)
        entries.append(noted(desk, LOOKED, test, taken, seen_as(taken)))
        looks.append(taken)
    stands = told(test, looks, story)
    if story.end is None and stands.next_look_at is None:
        end = AbEnd(test=test.id, at=desk.clock.now(), reason=stands.reason)
        entries.append(noted(desk, ENDED, test, end, f"{stands.answer}: {stands.reason}"))
    if entries:
        desk.records.commit([], entries)
    return stands


def stop(desk: Desk, test: AbTest, sources: Sources, *, reason: str) -> AbStatus:
    """End a test now. Its rollout stays held: what becomes of it is decided apart.

    Raises:
        DeploymentError: it is over already.
    """
    if status(desk, test, sources).next_look_at is None:
        raise DeploymentError(f"A/B test {test.id} is over; `flyball ab status` tells its answer")
    end = AbEnd(test=test.id, at=desk.clock.now(), reason=reason)
    desk.records.commit([], [noted(desk, ENDED, test, end, reason)])
    return status(desk, test, sources)


def _unit(test: AbTest, sources: Sources, *, within: timedelta) -> float:
    """A's metric of late: what a relative effect is relative to."""
    users = counted(test, since=test.began_at - within, until=test.began_at, sources=sources)
    if users.a is None or not users.a.value > 0.0:
        raise InvalidRequest(
            f"there are no {test.metric} yet that a relative effect could be a part of; give it "
            "in the metric's own unit with --absolute"
        )
    return users.a.value


def _rolling(desk: Desk, model: str) -> Deployment:
    deployment = under_way(desk, model)
    if deployment is None or deployment.phase is not Phase.ROLLING:
        raise DeploymentError(
            f"{model} has no rollout with a share of the traffic; begin one with "
            f"`flyball deploy {model} VERSION`, and start the test once it has its share"
        )
    if deployment.waits:
        raise DeploymentError(
            f"rollout {deployment.id} has shown enough and waits for approval; approve it with "
            f"`flyball approve {model} {deployment.version}`, or abort it"
        )
    if deployment.shifts[-1].applied_at is None:
        raise DeploymentError(
            f"rollout {deployment.id} is just taking its share; try again in a moment"
        )
    return deployment
