"""A model with a good version beside the one that serves, and workers that follow the route."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, Slot, SlotPhase, SlotStatus, WorkerStatus
from flyball.domain.traffic import Window
from flyball.ports import Change
from flyball.settings import Rollout
from flyball.steps.desk import Desk
from flyball.testing.builders import a_deployment, a_version, a_window, a_worker
from flyball.testing.fakes import FakeTarget, ManualClock, MemoryRecords

URL = "http://127.0.0.1:8000"


@dataclass
class Traffic:
    """The windows that drills read: one request in each looked-at moment."""

    seen: list[Window] = field(default_factory=list)

    def windows(self, model, *, since, version=None):
        return [w for w in self.seen if w.start >= since and version in (None, w.version)]


class DrillWorld:
    """1.1.0 serves, 1.0.0 stands by; each wait lets time pass and the workers follow.

    Attributes:
        apply_after_s: how long a worker takes to apply a route.
        lying: workers whose health page names another version than the route.
        errors: failed requests a second.
    """

    def __init__(self) -> None:
        self.records, self.clock, self.traffic = MemoryRecords(), ManualClock(), Traffic()
        self.target = FakeTarget()
        self.good = a_version("1.0.0", state=State.PRODUCTION)
        self.champion = a_version("1.1.0", state=State.MONITORING)
        deployments = [
            a_deployment(version=self.good.name, phase=Phase.DONE),
            a_deployment(version=self.champion.name, ordinal=2, phase=Phase.BAKING),
        ]
        route = Route(
            model="games",
            generation=4,
            slots={Slot.BLUE: self.good.name, Slot.GREEN: self.champion.name},
            live=Slot.GREEN,
            salt="games/2",
        )
        new = [self.good, self.champion, *deployments, route]
        self.records.commit([Change(value=value) for value in new])
        self.apply_after_s, self.errors = 0.2, 0
        self.lying: set[str] = set()
        self.asked_of: list[str] = []
        self._since = self.clock.now()
        self._generation = route.generation
        self.target.running = [self._worker("host:1", route), self._worker("host:2", route)]

    @staticmethod
    def _worker(name: str, route: Route) -> WorkerStatus:
        slots = {
            f"games/{slot}": SlotStatus(version=version, phase=SlotPhase.READY)
            for slot, version in route.slots.items()
        }
        applied = {"games": route.generation}
        return replace(a_worker(name, slots=slots), url=URL, applied=applied)

    @property
    def route(self) -> Route:
        return self.records.get(Route, "games")

    def desk(self, actor: str = "operator:ada") -> Desk:
        return Desk(
            records=self.records,
            target=self.target,
            events=self.traffic,
            clock=self.clock,
            rollout=Rollout(),
            actor=actor,
        )

    def wait(self, seconds: float) -> None:
        """Time passes: each whole second is counted, and workers apply what is wanted by then."""
        before = self.clock.now()
        now = self.clock.advance(seconds)
        if int(now.timestamp()) > int(before.timestamp()):
            self.traffic.seen += [
                a_window(
                    10, self.errors, worker=w.worker, start=before.replace(microsecond=0),
                    version=self.route.champion,
                )
                for w in self.target.running
            ]  # fmt: skip
        route = self.route
        if route.generation != self._generation:
            self._generation, self._since = route.generation, before
        if (now - self._since).total_seconds() >= self.apply_after_s:
            self.target.running = [self._worker(w.worker, route) for w in self.target.running]

    def asked(self, url: str, workers: Collection[str]) -> Mapping[str, str]:
        """What the workers' health pages say."""
        self.asked_of.append(url)
        serving = self.route.champion or ""
        return {worker: "1.9.9" if worker in self.lying else serving for worker in workers}

    def states(self) -> dict[str, State]:
        return {v.name: v.state for v in self.records.find(ModelVersion)}
