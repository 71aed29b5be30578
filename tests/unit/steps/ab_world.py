"""What tests of experiments share: a rollout, what its users are shown, and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path

import numpy as np
from rollout_world import World

from flyball.domain.ab_test import AbTest
from flyball.domain.deployment import Deployment
from flyball.domain.routing import Variant
from flyball.domain.traffic import Answers, Event, EventType
from flyball.steps.ab_counts import Sources
from flyball.steps.ab_test import Wanted
from flyball.storage.served import FileServed
from flyball.testing.builders import NOON, a_list, an_event
from flyball.testing.fakes import ManualClock

ANSWERS = Answers(b"a key of the tests")
DAY = Wanted(horizon=timedelta(days=1), looks=(0.5, 1.0), effect=0.02, relative=False)


class Feedback:
    """As much of the event store as reading by time and kind needs."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def before(self, at: datetime) -> int:
        return sum(1 for _ in takewhile(lambda event: event.received_at < at, self.events))

    def after(
        self, cursor: int, *, limit: int, model: str, types: Sequence[str]
    ) -> tuple[list[Event], int]:
        page = self.events[cursor : cursor + limit]
        wanted = [event for event in page if event.model == model and event.type in types]
        return wanted, cursor + len(page)


@dataclass
class Shop:
    """A rollout with a quarter of the users, the lists that they are shown, and their clicks."""

    root: Path
    world: World = field(default_factory=lambda: World(steps=(0.25, 1.0)))

    def __post_init__(self) -> None:
        self.world.deploy("1.0.0")
        self.world.clock.advance(hours=2)
        self.desk = self.world.desk
        self.rng, self._count = np.random.default_rng(3), 0
        self.served = FileServed(
            self.root / "served", keep=timedelta(days=14), limit=10**9, clock=ManualClock(NOON)
        )
        self.feedback = Feedback()
        self.sources = Sources(
            served=self.served,
            kept=timedelta(days=14),
            events=self.feedback,  # type: ignore[arg-type]
            answers=ANSWERS,
        )

    def roll_out(self) -> Deployment:
        _, deployment = self.world.roll_out("1.1.0")
        return deployment

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def happens(
        self,
        test: AbTest,
        *,
        hours: float,
        users: int,
        a: float = 0.2,
        b: float = 0.2,
        lists: int = 2,
        kind: EventType = EventType.CLICK,
        only: Variant | None = None,
    ) -> None:
        """So many users see lists of one item, so many hours after the start, and click or not."""
        shown, told = [], []
        for user in range(users):
            name = f"user-{user}"
            arm = test.arm(name)
            if only not in (None, arm):
                continue
            version = test.b if arm is Variant.CHALLENGER else test.a
            chance = b if arm is Variant.CHALLENGER else a
            for _ in range(lists):
                self._count += 1
                at = test.began_at + timedelta(hours=hours, milliseconds=self._count % 3_000)
                at_ms = int(at.timestamp() * 1000)
                answer = ANSWERS.new(version, at_ms, f"{self._count:010x}")
                shown.append(
                    a_list(
                        answer,
                        shown_at=at_ms,
                        version=version,
                        variant=str(arm),
                        user_id=name,
                        item_ids=["a"],
                        propensities=[1.0],
                        share=test.share,
                    )
                )
                if self.rng.random() < chance:
                    told.append(
                        an_event(
                            f"e{self._count}",
                            type=kind,
                            item_id="a",
                            user_id=name,
                            recommendation_id=answer,
                            value=10.0,
                            received_at=at + timedelta(minutes=5),
                        )
                    )
        self.served.append(shown)
        self.feedback.events.extend(told)

    def recorded(self) -> list[str]:
        """What the ledger tells of tests."""
        return [action for action in self.world.actions() if action.startswith("ab ")]
