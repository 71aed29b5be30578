"""``flyball ab`` on a real home: SQLite, files of lists, the ledger; only the clock is turned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flyball.ab import AbTests
from flyball.domain.deployment import Deployment, Phase, Shift
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route, Slot, Variant
from flyball.domain.traffic import EventType
from flyball.ports import Change
from flyball.recommend.exploration import explored
from flyball.recommend.popularity import Popularity
from flyball.settings import Settings
from flyball.stats.experiments.verdicts import Answer
from flyball.steps.ab_test import Wanted
from flyball.testing.builders import (
    NOON,
    a_dataset,
    a_deployment,
    a_list,
    a_version,
    an_event,
)
from flyball.testing.fakes import ManualClock
from flyball.testing.games import packaged, some_purchases
from flyball.wiring import Platform, build

A, B = a_version("1.0.0").name, a_version("1.1.0").name


@dataclass
class Turned:
    """A platform with a clock that is turned by hand."""

    platform: Platform
    clock: ManualClock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.platform, name)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Turned]:
    platform = build(Settings(home=tmp_path / "home"))
    rolling = a_deployment(
        version=B, replaces=A, phase=Phase.ROLLING, steps=(0.5, 1.0),
        shifts=(Shift(share=0.5, at=NOON, applied_at=NOON),),
    )  # fmt: skip
    route = Route(
        model="games", generation=3, slots={Slot.BLUE: A, Slot.GREEN: B}, live=Slot.BLUE,
        challenger_share=0.5, salt=rolling.id,
    )  # fmt: skip
    platform.records.commit([Change(value=rolling), Change(value=route)])
    yield Turned(platform, ManualClock(NOON + timedelta(hours=1)))
    platform.close()


def ab_of(home: Turned) -> AbTests:
    def version(model: str, name: str) -> ModelVersion:
        return home.records.get(ModelVersion, f"{model}/{name}")

    return AbTests(home, "operator:ada", version=version)  # type: ignore[arg-type]


def serve(home: Turned, *, users: int, chances: dict[Variant, float]) -> None:
    """Each user sees a list now, and clicks with the chance of their version."""
    route = home.records.get(Route, "games")
    answers, rng = home.answers("games"), np.random.default_rng(1)
    lists, events = [], []
    for n in range(users):
        user = f"user-{n}"
        variant = route.variant(user)
        version = B if variant is Variant.CHALLENGER else A
        at = int(home.clock.now().timestamp() * 1000) + n
        answer = answers.new(version, at, f"{n:010x}")
        fields = {"shown_at": at, "version": version, "variant": str(variant), "user_id": user}
        lists.append(a_list(answer, share=0.5, **fields))
        if rng.random() < chances[variant]:
            received = home.clock.now() + timedelta(minutes=2)
            click = {"type": EventType.CLICK, "user_id": user, "recommendation_id": answer}
            events.append(an_event(f"e{n}", received_at=received, timestamp=received, **click))
    home.served.append(lists)
    home.events.append(events)


def test_a_better_version_is_found_and_the_ledger_tells_the_story(home):
    ab = ab_of(home)
    wanted = Wanted(effect=0.01, relative=False, horizon=timedelta(hours=2), looks=(0.5, 1.0))
    begun = ab.start("games", wanted)
    assert begun.answer is Answer.NOT_YET
    serve(home, users=1_500, chances={Variant.CHAMPION: 0.2, Variant.CHALLENGER: 0.45})
    home.clock.advance(hours=1)
    found = ab.status("games")
    assert found.answer is Answer.B_BETTER
    assert found.finding is not None
    assert found.finding.estimate.low < 0.125 < found.finding.estimate.high  # two items a list
    assert ab.list("games") == [found]
    told = [row.entry.action for row in home.records.ledger()]
    assert told == ["ab start", "hold", "ab look", "ab end"]
    assert home.records.verify_ledger() == 4
    assert home.records.get(Deployment, begun.test.deployment).held.startswith("A/B test games/ab1")


def test_equal_versions_are_not_called_different_and_stopping_is_told(home):
    ab = ab_of(home)
    ab.start("games", Wanted(effect=0.001, relative=False, horizon=timedelta(hours=2)))
    serve(home, users=800, chances={Variant.CHAMPION: 0.3, Variant.CHALLENGER: 0.3})
    home.clock.advance(hours=1.6)
    assert ab.status("games").answer is Answer.NOT_YET
    found = ab.stop("games", reason="the sale began")
    assert (found.answer, len(found.looks)) == (Answer.CANNOT_TELL, 3)
    assert found.reason == "the sale began"


def test_logs_with_chance_in_them_judge_a_version_that_was_never_shown(home, tmp_path):
    """The champion shows the least popular games; its rival would show the most popular."""
    servable = packaged(Popularity, tmp_path / "artifact", some_purchases())
    data = a_dataset(created_at=NOON)
    rival = a_version("1.2.0", artifact=home.blobs.put(tmp_path / "artifact"))
    home.records.commit([Change(value=data), Change(value=rival)])
    best = [item.game_id for item in servable.recommend("a-stranger", k=8).items]
    answers, rng, lists, events = home.answers("games"), np.random.default_rng(4), [], []
    for n in range(6_000):
        user, at = f"player-{n % 1_500 + 100}", int(home.clock.now().timestamp() * 1000) + n
        answer = answers.new(A, at, f"{n:010x}")
        mixed = explored(best[3:8] + best[:3], 3, rate=1.0, seed=answer)
        lists.append(
            a_list(answer, version=A, user_id=user, shown_at=at, item_ids=mixed.items,
                   propensities=mixed.propensities)
        )  # fmt: skip
        for item in mixed.items:
            if rng.random() < (0.4 if item in best[:3] else 0.1):
                told = {"type": EventType.CLICK, "user_id": user, "item_id": item}
                received = home.clock.now() + timedelta(seconds=n)
                events.append(
                    an_event(f"{n}{item}", recommendation_id=answer, received_at=received, **told)
                )
    home.served.append(lists)
    home.events.append(events)
    home.clock.advance(hours=12)
    found = ab_of(home).evidence("games", rival.name, since=timedelta(days=7))
    assert (found.sought.shown, found.sought.since, found.lists) == (A, NOON, 6_000)
    assert found.insufficient == ""
    for one in (found.snips, found.doubly_robust):
        assert one is not None
        assert one.low is not None
        assert 0.1 < one.low < 0.4 - one.baseline < one.high
