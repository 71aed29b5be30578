"""Records, two workers that do what the route says when told to, traffic, and a clock."""

from __future__ import annotations

from dataclasses import replace

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.judging import Measure, Seen, Split
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, SlotPhase, SlotStatus, WorkerStatus
from flyball.domain.traffic import Window
from flyball.ports import Change
from flyball.settings import Rollout
from flyball.stats import latency
from flyball.steps.deploy import advance, begin
from flyball.steps.desk import Desk
from flyball.steps.rolling import roll
from flyball.testing.builders import NOON, a_version, a_window
from flyball.testing.fakes import FakeTarget, ManualClock, MemoryRecords

QUICK_MS = 4.0


class Windows:
    """The part of ``Events`` that monitoring reads."""

    def __init__(self) -> None:
        self.seen: list[Window] = []

    def windows(self, model, *, since, version=None):
        return [w for w in self.seen if w.start >= since and version in (None, w.version)]


class World:
    """What moves deployments, and what they need; settings by name."""

    def __init__(self, **rollout) -> None:
        self.records, self.clock, self.traffic = MemoryRecords(), ManualClock(), Windows()
        self.target = FakeTarget(running=[self._worker("a"), self._worker("b")])
        settings = {"bake": "1h", "min_requests": 100, "max_error_share": 0.01} | rollout
        self.desk = Desk(
            records=self.records,
            target=self.target,
            events=self.traffic,
            clock=self.clock,
            rollout=Rollout(**settings),
            actor="test",
        )

    @staticmethod
    def _worker(name: str) -> WorkerStatus:
        return WorkerStatus(worker=name, url="", started_at=NOON, seen_at=NOON)

    def staged(self, number: str) -> ModelVersion:
        version = a_version(number, state=State.STAGING)
        self.records.commit([Change(value=version)])
        return version

    def workers_follow(self, *, failing: str = "") -> None:
        """Every worker loads what the route wants and applies its generation."""
        route = self.route
        slots = {
            f"games/{slot}": SlotStatus(
                version=name,
                phase=SlotPhase.FAILED if name == failing else SlotPhase.READY,
                detail="the artifact is damaged" if name == failing else "",
            )
            for slot, name in route.slots.items()
        }
        self.target.running = [
            replace(worker, slots=slots, applied={"games": route.generation})
            for worker in self.target.running
        ]

    @property
    def route(self) -> Route:
        return self.records.get(Route, "games")

    def state(self, version: ModelVersion) -> State:
        return self.records.get(ModelVersion, version.id).state

    def actions(self) -> list[str]:
        """What the ledger tells, one word a row."""
        return [row.entry.action for row in self.records.ledger()]

    def deploy(self, number: str) -> tuple[ModelVersion, Deployment]:
        """A version all the way to its bake, at once."""
        version = self.staged(number)
        deployment = begin(self.desk, version, strategy="blue-green")
        for _ in range(2):
            self.workers_follow()
            deployment = advance(self.desk, deployment)
        self.workers_follow()
        assert deployment.phase is Phase.BAKING
        return version, deployment

    def roll_out(self, number: str) -> tuple[ModelVersion, Deployment]:
        """A version to its first share, applied by every worker."""
        version = self.staged(number)
        deployment = begin(self.desk, version)
        self.workers_follow()
        deployment = advance(self.desk, deployment)
        self.workers_follow()
        deployment = roll(self.desk, deployment, Seen())
        assert deployment.shifts[-1].applied_at is not None
        return version, deployment

    def has_served(self, version: ModelVersion, *, requests: int, errors: int) -> None:
        self.traffic.seen.append(
            a_window(version=version.name, start=self.clock.now(), requests=requests, errors=errors)
        )


def seen(requests: int = 20_000, *, failed=(0, 0), slow=(950, 50), share=0.05, **fields) -> Seen:
    """What a rollout at one share showed; a good one unless ``failed`` (champion, challenger)."""
    counts = latency.empty()
    counts[latency.bucket(QUICK_MS / 1000)] = requests
    splits = {
        Measure.FAILED: (Split(share=share, champion=failed[0], challenger=failed[1]),),
        Measure.SLOW: (Split(share=share, champion=slow[0], challenger=slow[1]),),
    }
    defaults = {
        "splits": splits,
        "requests": requests,
        "errors": failed[1],
        "failed_units": failed[1],
        "latency": tuple(counts),
        "step_requests": requests,
    }
    return Seen(**(defaults | fields))


GOOD = seen()
BAD = seen(2_000, failed=(20, 400))
LITTLE = seen(3, slow=(0, 0))
