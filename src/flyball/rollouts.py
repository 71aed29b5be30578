"""The verbs about rollouts: deploy, follow, what an operator decides, roll back.

What an operator decides is written to the records by the process that is asked, so that it holds
also while no control process runs; workers follow the records by themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball.answers import Decided, Deployed, Progress, RolledBack
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.underway import Order, Underway
from flyball.errors import EnvironmentFailed
from flyball.queries import Queries
from flyball.settling import restored, switched, written
from flyball.work import GONE_AFTER_S, Work

if TYPE_CHECKING:
    from flyball.steps.desk import Desk

FOLLOW_EVERY_S = 0.5


class Rollouts(Queries):
    """How versions come into service and out of it, and who decides that."""

    actor: str
    _work: Work

    def deploy(
        self,
        model: str,
        version: str,
        *,
        strategy: str | None = None,
        progress: Progress | None = None,
    ) -> Deployed:
        """A validated version into service.

        Returns once it has its first share of the traffic (``follow`` tells how that goes on), or,
        where it takes all traffic at once, once its bake begins.

        Args:
            strategy: ``"canary"`` or ``"blue-green"``; default canary where another version serves
                and the settings have steps below all traffic.

        Raises:
            DeploymentError: it could not be deployed; the version before goes on serving.
        """
        request = self._wish(model, version, strategy)
        return self._deployed(self._work.done("deploy", request, model, progress))

    def hand_over(self, model: str, version: str, *, strategy: str | None = None) -> str:
        """The same, left to the running ``flyball up``; returns the workflow's id.

        Raises:
            NotFound: none runs on this home.
        """
        return self._work.handed_over("deploy", self._wish(model, version, strategy))

    def follow(self, deployment: str, *, every_s: float = FOLLOW_EVERY_S) -> Iterator[Underway]:
        """How a rollout stands, again and again, until it has all traffic or has ended.

        Raises:
            EnvironmentFailed: no control process goes on with it any more.
        """
        from flyball.loop.lock import holder

        pause, seen = threading.Event(), time.monotonic()
        while True:
            now = self.rollout(deployment)
            yield now
            if not now.under_way:
                return
            if holder(self.platform.home) is not None:
                seen = time.monotonic()
            elif time.monotonic() - seen > GONE_AFTER_S:
                raise EnvironmentFailed(
                    f"the control process is gone, so nobody goes on with {deployment}; start "
                    "`flyball up`: it takes the rollout up where it is"
                )
            pause.wait(every_s)

    def hold(self, model: str, version: str, *, reason: str = "") -> Decided:
        """Keep a rollout in its step, however well it goes. Harm still withdraws it.

        Raises:
            DeploymentError: it is not under way, or is held already.
            StaleWrite: somebody else decided something about it at the same moment.
        """
        from flyball.steps.decisions import hold

        return self._decided(Order.HOLD, hold, model, version, reason)

    def resume(self, model: str, version: str, *, reason: str = "") -> Decided:
        """Let a rollout that is held go on. Raises as ``hold`` does."""
        from flyball.steps.decisions import resume

        return self._decided(Order.RESUME, resume, model, version, reason)

    def approve(self, model: str, version: str, *, reason: str = "") -> Decided:
        """Approve full traffic, where that waits for somebody. Raises as ``hold`` does."""
        from flyball.steps.decisions import approve

        return self._decided(Order.APPROVE, approve, model, version, reason)

    def promote(self, model: str, version: str, *, reason: str = "") -> Decided:
        """All traffic to a version now, without waiting for the judge. Raises as ``hold`` does."""
        from flyball.steps.decisions import promote

        return self._decided(Order.PROMOTE, promote, model, version, reason)

    def abort(self, model: str, version: str, *, reason: str = "") -> Decided:
        """End a rollout: all traffic back to the champion, now. Raises as ``hold`` does."""
        from flyball.steps.decisions import abort

        return self._decided(Order.ABORT, abort, model, version, reason)

    def archive(self, model: str, version: str, *, reason: str = "") -> Decided:
        """Take a version out of use for good.

        Raises:
            DeploymentError: it serves; says what to do first.
            IllegalTransition: the lifecycle does not allow it from where the version is.
        """
        from flyball.steps.decisions import archive

        return self._decided(Order.ARCHIVE, archive, model, version, reason)

    def rollback(self, model: str, *, reason: str = "") -> RolledBack:
        """The good version answers everybody again, at once, also while no control process runs.

        That is the champion where a rollout is under way, and else the version before it.
        """
        from flyball.steps.decisions import back, under_way

        bench = self._desk(model)
        began, why = bench.clock.now(), reason or f"decided by {self.actor}"

        def aim() -> tuple[str | None, str]:
            rolling = under_way(bench, model)
            return bench.route(model).champion, rolling.version if rolling else ""

        done = written(bench, model, lambda: back(bench, model, reason=why), aim=aim)
        good, seconds = done.route.champion or "", restored(bench, model, since=began)
        pages = self._pages(bench, model) if seconds is not None else {}
        answer = RolledBack(
            model=model,
            withdrawn=done.withdrawn,
            serving=good,
            reason=why,
            seconds=seconds,
            confirmed=sum(version == good for version in pages.values()),
            contradicted=tuple(sorted(w for w, version in pages.items() if version != good)),
        )
        self._tell()
        return answer

    # --- how --------------------------------------------------------------------------------

    def _pages(self, bench: Desk, model: str) -> Mapping[str, str]:
        """What the workers' health pages say serves, by worker; those that cannot be asked miss."""
        from flyball.drills import serving

        found: dict[str, str] = {}
        workers = bench.target.workers()
        for url in {worker.url for worker in workers}:
            here = [worker.worker for worker in workers if worker.url == url]
            found |= serving(url, model, here, self.settings.server.tls_certificate)
        return found

    def _decided(
        self,
        order: Order,
        act: Callable[..., Deployment | ModelVersion],
        model: str,
        version: str,
        said: str,
    ) -> Decided:
        bench, found = self._desk(model), self._version(model, version)
        began, reason = bench.clock.now(), said or f"decided by {self.actor}"
        done = written(bench, model, lambda: act(bench, model, found.name, reason=reason))
        rollout, seconds = done if isinstance(done, Deployment) else None, None
        if rollout is not None and rollout.phase is Phase.SWITCHING:
            rollout, seconds = switched(bench, rollout, since=began)
        elif rollout is not None and rollout.phase is Phase.ROLLED_BACK:
            seconds = restored(bench, model, since=began)
        self._tell()
        return Decided(
            order=order,
            version=bench.records.get(ModelVersion, found.id),
            deployment=rollout,
            by=self.actor,
            reason=reason,
            seconds=seconds,
        )

    def _tell(self) -> None:
        """People are told by this process where there is no control process to do it."""
        from flyball.loop.notices import tell_alone

        tell_alone(self.platform, self.platform.home)

    def _desk(self, model: str) -> Desk:
        from flyball.loop.tasks import desk

        return desk(self.platform, self._known(model), self.actor)

    def _wish(self, model: str, version: str, strategy: str | None) -> dict[str, Any]:
        found = self._version(model, version)
        return {"version": found.id, "actor": self.actor, "strategy": strategy or ""}

    def _deployed(self, item: Mapping[str, Any]) -> Deployed:
        from flyball.loop.lock import CONTROL, holder

        who = holder(self.platform.home)
        return Deployed(
            deployment=self.platform.records.get(Deployment, item["deployment"]),
            new=item["new"],
            followed=who is not None and who.role == CONTROL,
        )
