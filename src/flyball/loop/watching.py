"""Who watches the rollouts: reads what they showed since the last look, and moves them.

What was counted lives in memory. It is made again from the stored windows and events when this
process, or the next one, begins to watch: a restart in any step goes on where it was.
"""

from __future__ import annotations

from datetime import UTC, datetime

from flyball.domain.deployment import Deployment, Phase
from flyball.domain.traffic import Answers, Event, EventType, Join
from flyball.loop.casualties import Casualties
from flyball.loop.parts import Parts
from flyball.steps.desk import Desk
from flyball.steps.observed import Observed
from flyball.steps.rolling import roll

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = (EventType.CLICK.value, EventType.PURCHASE.value)


class Rollouts:
    """Every rollout under way, watched. Not thread-safe: the controller's thread has it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._watches: dict[str, _Watch] = {}

    def models(self) -> list[str]:
        """Those with a rollout under way."""
        return sorted(self._watches)

    def look(self, bench: Desk, deployment: Deployment) -> Deployment:
        """Move one rolling deployment as far as what it showed allows.

        Raises:
            StaleWrite: another process moved it first.
        """
        if deployment.phase is not Phase.ROLLING:
            self._watches.pop(deployment.model, None)
            return deployment
        watch = self._watches.get(deployment.model)
        if watch is None or watch.deployment_id != deployment.id:
            watch = _Watch(self._parts, bench, deployment)
            self._watches[deployment.model] = watch
        after = watch.look(bench, deployment)
        if after.phase is not Phase.ROLLING:
            del self._watches[deployment.model]
        return after


class _Watch:
    """One rollout, from its first share on."""

    def __init__(self, parts: Parts, bench: Desk, deployment: Deployment) -> None:
        self.deployment_id = deployment.id
        self._parts = parts
        self._warm_up = bench.rollout.warm_up
        self._observed = Observed(deployment, self._warm_up)
        self._answers: Answers = parts.answers(deployment.model)
        self._since = deployment.shifts[0].at
        self._windows = 0
        self._events = parts.events.before(self._since)
        self._casualties = Casualties(parts)

    def look(self, bench: Desk, deployment: Deployment) -> Deployment:
        events, model = self._parts.events, deployment.model
        self._observed.follow(deployment, self._warm_up)
        # Once there is a cursor it alone tells what is new: clocks may be set back.
        since = _EVER if self._windows else self._since
        windows, self._windows = events.windows_after(self._windows, model=model, since=since)
        self._observed.add(windows)
        found, self._events = events.after(self._events, model=model, types=_KINDS)
        self._observed.add_events(self._joined(found))
        return roll(bench, deployment, self._observed.seen(stopped=self._casualties.trouble()))

    def _joined(self, events: list[Event]) -> list[tuple[Event, str, datetime]]:
        """Those that an answer of this rollout led to, with its version and time."""
        joined = []
        for event in events:
            answered = self._answers.read(event.recommendation_id)
            kind = self._answers.kind(answered, event.received_at)
            if answered is not None and kind is Join.JOINED:
                joined.append((event, answered.version, answered.at))
        return joined
