"""The verb that plans rollouts: what their steps would find, at the traffic there is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flyball.settings import Settings
from flyball.wiring import Platform

if TYPE_CHECKING:
    from flyball.steps.plan import Plan


class Plans:
    """What could be found out, before anything is tried. Nothing here changes a record."""

    settings: Settings
    platform: Platform

    def plan(
        self,
        model: str,
        *,
        requests_per_second: float | None = None,
        since: timedelta = timedelta(hours=24),
    ) -> Plan:
        """What each step of a rollout finds, and how soon, at the recorded traffic.

        Args:
            requests_per_second: plan for this much traffic instead of what was recorded.
            since: how far back to look at most.

        Raises:
            NotFound: no such model is configured.
            InvalidRequest: ``requests_per_second`` is not a number above 0.
            StorageUnavailable: what was recorded cannot be read.
        """
        from flyball.steps.plan import plan

        platform = self.platform
        return plan(
            model,
            rollout=self.settings.model(model).rollout,
            now=platform.clock.now(),
            within=since,
            requests_per_second=requests_per_second,
            events=platform.events,
            served=platform.served,
            answers=platform.answers(model),
        )
