"""What logs say of a version that was never shown: against a world whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from ab_world import ANSWERS, Feedback

from flyball.domain.ab_test import Metric
from flyball.domain.traffic import EventType
from flyball.errors import ValidationError
from flyball.ports import Asking
from flyball.recommend.exploration import explored
from flyball.steps.ab_counts import Sources
from flyball.steps.ab_evidence import AbEvidence, Candidate, Sought, evidence
from flyball.storage.served import FileServed
from flyball.testing.builders import NOON, a_list, an_event
from flyball.testing.fakes import ManualClock

RANKED = list("abcdefgh")
CHANCES = dict(zip(RANKED, (0.10, 0.12, 0.11, 0.30, 0.09, 0.35, 0.10, 0.10), strict=True))
SOUGHT = Sought(
    model="games", shown="1.0.0", metric=Metric.CLICKS, since=NOON, until=NOON + timedelta(days=2)
)


@dataclass
class Ranker:
    """An application that answers everybody alike, and remembers who asked."""

    ranked_items: Sequence[str]
    asked: list[Asking] = field(default_factory=list)

    def ranked(self, servable: object, asked: Sequence[Asking], rules: object) -> list[list[str]]:
        self.asked += asked
        return [list(self.ranked_items[: one.k]) for one in asked]


@dataclass
class Log:
    """Lists of three with chance in them, and what was clicked."""

    root: Path

    def __post_init__(self) -> None:
        self.served = FileServed(
            self.root / "served", keep=timedelta(days=14), limit=10**9, clock=ManualClock(NOON)
        )
        self.feedback, self.rng, self._count = Feedback(), np.random.default_rng(2), 0

    @property
    def sources(self) -> Sources:
        return Sources(
            served=self.served,
            kept=timedelta(days=14),
            events=self.feedback,  # type: ignore[arg-type]
            answers=ANSWERS,
        )

    def shows(
        self, users: int, lists: int, *, rate: float = 1.0, hours: float = 1.0, **fields: object
    ) -> None:
        shown, told = [], []
        for user in range(users):
            mood = self.rng.normal(0, 0.03)
            for _ in range(lists):
                self._count += 1
                at = NOON + timedelta(hours=hours, milliseconds=self._count)
                at_ms = int(at.timestamp() * 1000)
                answer = ANSWERS.new("1.0.0", at_ms, f"{self._count:010x}")
                mixed = explored(RANKED, 3, rate=rate, seed=answer)
                row = {"version": "1.0.0", "user_id": f"user-{user}", "shown_at": at_ms}
                shown.append(
                    a_list(
                        answer,
                        item_ids=mixed.items,
                        propensities=mixed.propensities,
                        **(row | fields),
                    )
                )
                for item in mixed.items:
                    if self.rng.random() < CHANCES[item] + mood:
                        click = {"type": EventType.CLICK, "item_id": item}
                        told.append(
                            an_event(
                                f"{answer}{item}",
                                user_id=f"user-{user}",
                                recommendation_id=answer,
                                received_at=at,
                                **click,
                            )
                        )
        self.served.append(shown)
        self.feedback.events += told

    def says(self, *items: str, sought: Sought = SOUGHT) -> AbEvidence:
        return evidence(sought, candidate(Ranker(items)), self.sources)


def candidate(application: object) -> Candidate:
    return Candidate(version="1.1.0", application=application, servable=None, rules=None)  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def truth(*items: str) -> float:
    return sum(CHANCES[item] for item in items) / 3


@pytest.mark.parametrize("items", [("f", "d", "b"), ("a", "b", "c"), ("h", "e", "g")])
def test_finds_what_other_lists_would_have_earned(log, items):
    log.shows(1_200, 4)
    found = log.says(*items)
    assert (found.insufficient, found.lists) == ("", 4_800)
    for one in (found.snips, found.doubly_robust):
        assert one is not None
        assert one.candidate is not None
        assert one.error is not None
        assert abs(one.candidate - truth(*items)) < 3.5 * one.error
        assert one.support == pytest.approx(1.0, abs=0.15)


def test_a_much_better_version_is_seen_to_be_better(log):
    log.shows(1_200, 4)
    found = log.says("f", "d", "b").snips
    assert found is not None
    assert found.low is not None
    assert found.low > 0.05


def test_values_what_was_paid_where_that_is_asked(log):
    log.shows(300, 3)
    for event in list(log.feedback.events):
        bought = replace(event, event_id=f"b{event.event_id}", type=EventType.PURCHASE, value=10.0)
        log.feedback.events.append(bought)
    clicks, value = log.says("a"), log.says("a", sought=replace(SOUGHT, metric=Metric.VALUE))
    assert clicks.snips is not None
    assert value.snips is not None
    assert value.snips.baseline == pytest.approx(10.0 * clicks.snips.baseline)


class TestInsufficient:
    def test_where_no_list_had_chance_in_it(self, log):
        log.shows(50, 2, rate=0.0)
        found = log.says("a", "b", "c")
        assert (found.lists, found.snips) == (0, None)
        assert "set `exploration` of the model" in found.insufficient

    def test_where_there_are_few_lists(self, log):
        log.shows(40, 2)
        assert "100 are needed" in log.says("f", "d", "b").insufficient

    def test_where_it_shows_what_could_not_be_shown(self, log):
        log.shows(1_200, 3)
        assert "could be shown" in log.says("a", "new-1", "new-2").insufficient


class TestWhichListsCount:
    def test_only_usual_ones_of_that_version_to_users_with_a_name_in_that_time(self, log):
        log.shows(10, 1)
        log.shows(10, 1, version="0.9.0")
        log.shows(10, 1, user_id="")
        log.shows(10, 1, fallback="popularity")
        log.shows(10, 1, filtered=True)
        log.shows(10, 1, hours=-3)
        log.shows(10, 1, hours=50)
        assert log.says("a").lists == 10

    def test_no_more_than_can_be_asked_and_whole_users(self, log):
        log.shows(200, 5)
        found = log.says("a", sought=replace(SOUGHT, most=500))
        assert 300 < found.lists < 700
        assert found.lists % 5 == 0


class TestTheCandidateIsAsked:
    def test_knowing_what_the_user_had_by_then_and_nothing_later(self, log):
        log.shows(1, 1, hours=5)
        for hours, item, kind in (
            (1, "old", EventType.PURCHASE),
            (2, "bad", EventType.DISLIKE),
            (6, "late", EventType.PURCHASE),
        ):
            log.feedback.events.append(
                an_event(f"e{hours}", type=kind, user_id="user-0", item_id=item,
                         recommendation_id="", received_at=NOON + timedelta(hours=hours))
            )  # fmt: skip
        ranker = Ranker(["a"])
        evidence(SOUGHT, candidate(ranker), log.sources)
        [one] = ranker.asked
        assert one.overlay == {"purchase": frozenset({"old"}), "dislike": frozenset({"bad"})}
        assert (one.user, one.k) == ("user-0", 3)
        assert one.at >= NOON + timedelta(hours=5)

    def test_and_a_failure_says_whose_it_is(self, log):
        class Broken:
            def ranked(self, servable, asked, rules):
                raise ZeroDivisionError("by zero")

        log.shows(1, 1)
        with pytest.raises(ValidationError, match=r"games/1.1.0 failed to rank.*by zero"):
            evidence(SOUGHT, candidate(Broken()), log.sources)
