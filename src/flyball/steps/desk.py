"""What the rollout verbs share: the ports they act through, and how they write to the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from flyball.domain.canonical import digest
from flyball.domain.deployment import Deployment
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route, empty_route
from flyball.errors import DeploymentError, IllegalTransition, NotFound, StaleWrite
from flyball.ports import Clock, Events, Records, Target
from flyball.settings import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Whose hand moves deployments, and with what.

    Attributes:
        records, target, events, clock: the ports.
        rollout: the model's settings.
        actor: who, for the ledger.
        since: when this process began to look. Time before it, in which perhaps nobody did (a kill
            came between), is not held against a deployment; default all of it is.
    """

    records: Records
    target: Target
    events: Events
    clock: Clock
    rollout: Rollout
    actor: str
    since: datetime | None = None

    def route(self, model: str) -> Route:
        """The model's route, or the empty one (generation 0) if nothing was ever deployed."""
        try:
            return self.records.get(Route, model)
        except NotFound:
            return empty_route(model)

    @contextmanager
    def unless_moved(self, read: Deployment | Route) -> Iterator[None]:
        """Tells a lost race from a wrong move.

        A version that is read just after somebody else moved it allows no second move. If what was
        ``read`` before it has changed too, that was a race and not a mistake.

        Raises:
            StaleWrite: instead of either error, where ``read`` is no longer what is stored.
        """
        try:
            yield
        except (IllegalTransition, DeploymentError) as error:
            if self.records.get(type(read), read.id) == read:
                raise
            raise StaleWrite(
                f"{read.id} was just changed by another process; see `flyball status` and try again"
            ) from error

    def version(self, deployment: Deployment) -> ModelVersion:
        """The version that a deployment is about."""
        return self.records.get(ModelVersion, f"{deployment.model}/{deployment.version}")

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a model, the oldest first."""
        return self.records.find(ModelVersion, model=model)

    def transition(
        self, before: ModelVersion, after: ModelVersion, evidence: Evidence, reason: str
    ) -> Entry:
        """The ledger's entry for a move of the lifecycle."""
        states = (str(before.state), str(after.state))
        return self._entry("transition", before, *states, reason=reason, evidence=evidence)

    def routed(
        self, deployment: Deployment, before: str, after: str, reason: str, evidence: Evidence
    ) -> Entry:
        """The ledger's entry for a change of the serving version: what ``served`` reads."""
        return self._entry("route", deployment, before, after, reason=reason, evidence=evidence)

    def noted(
        self,
        action: str,
        deployment: Deployment,
        *,
        before: str = "",
        after: str = "",
        reason: str,
        evidence: Evidence | None = None,
    ) -> Entry:
        """The ledger's entry for what else befalls a rollout: shift, hold, resume, approve."""
        return self._entry(action, deployment, before, after, reason=reason, evidence=evidence)

    def _entry(
        self,
        action: str,
        subject: ModelVersion | Deployment,
        before: str,
        after: str,
        *,
        reason: str,
        evidence: Evidence | None,
    ) -> Entry:
        return Entry(
            at=self.clock.now(),
            actor=self.actor,
            action=action,
            subject=subject.id,
            model=subject.model,
            before=before,
            after=after,
            reason=reason,
            evidence=evidence,
        )


def evidence_of(kind: EvidenceKind, id: str, detail: str) -> Evidence:
    """Evidence that the ledger row itself holds: ``detail`` stands there as the reason."""
    return Evidence(kind=kind, id=id, digest=digest({"kind": kind, "id": id, "detail": detail}))
