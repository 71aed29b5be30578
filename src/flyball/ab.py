"""All verbs of ``flyball ab`` on one installation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from flyball.domain.ab_test import Metric
from flyball.domain.lifecycle import ModelVersion
from flyball.errors import ConfigurationError, NotFound
from flyball.loop.tasks import desk
from flyball.wiring import Platform

if TYPE_CHECKING:
    from flyball.steps.ab_counts import Sources
    from flyball.steps.ab_evidence import AbEvidence
    from flyball.steps.ab_test import Wanted
    from flyball.steps.ab_words import AbStatus
    from flyball.steps.desk import Desk


class AbTests:
    """Two versions compared on live users, as it was registered beforehand.

    Args:
        platform: the installation's adapters.
        actor: who decides, for the ledger.
        version: finds a version by its name or number.
    """

    def __init__(
        self, platform: Platform, actor: str, *, version: Callable[[str, str], ModelVersion]
    ) -> None:
        self.platform, self.actor, self._version = platform, actor, version

    def start(self, model: str, wanted: Wanted) -> AbStatus:
        """Register a test in the rollout under way, and hold that at its share.

        Raises:
            DeploymentError: no rollout has traffic, or a test is under way.
            InvalidRequest: what is wanted makes no test; says why.
            StaleWrite: somebody else moved the rollout at that moment.
        """
        from flyball.steps.ab_test import start, status

        bench, sources = self._desk(model), self._sources(model)
        return status(bench, start(bench, model, wanted, sources), sources)

    def status(self, model: str, number: int | None = None) -> AbStatus:
        """How a test stands, default the newest; looks that are due are taken and recorded.

        Raises:
            NotFound: there is none.
        """
        from flyball.steps.ab_test import found, status

        bench = self._desk(model)
        return status(bench, found(bench, model, number), self._sources(model))

    def stop(self, model: str, *, reason: str = "") -> AbStatus:
        """End the test that is under way. Its rollout stays held until somebody decides.

        Raises:
            NotFound: there is none.
            DeploymentError: it is over already.
        """
        from flyball.steps.ab_test import found, stop

        bench, why = self._desk(model), reason or f"stopped by {self.actor}"
        return stop(bench, found(bench, model), self._sources(model), reason=why)

    def list(self, model: str) -> list[AbStatus]:
        """Every test of a model and how it stands, the first registered first."""
        from flyball.steps.ab_ledger import tests
        from flyball.steps.ab_test import status

        bench, sources = self._desk(model), self._sources(model)
        return [status(bench, test, sources) for test in tests(bench, model)]

    def evidence(
        self, model: str, version: str, *, metric: Metric = Metric.CLICKS, since: timedelta
    ) -> AbEvidence:
        """What the champion's lists with chance in them say of a version that was never shown.

        Args:
            since: how far back; never before the version's training data ended.

        Raises:
            NotFound: no such version, or nothing serves.
            ConfigurationError: the application does not answer with lists.
            ValidationError: the version failed to rank.
        """
        from flyball.domain.data import DatasetVersion
        from flyball.ports import Ranks
        from flyball.steps.ab_evidence import Candidate, Sought, evidence
        from flyball.steps.set_rules import rules_of

        platform, found = self.platform, self._version(model, version)
        application, now = platform.application(model), platform.clock.now()
        if not isinstance(application, Ranks):
            raise ConfigurationError(
                f"the application of {model} does not answer with lists: logs can't judge a version"
            )
        data = platform.records.get(DatasetVersion, f"{model}/{found.recipe.data_version}")
        rules = rules_of(platform.records, model)
        candidate = Candidate(
            version=found.name,
            application=application,
            servable=application.open(platform.blobs.get(found.artifact)),
            rules=None if rules is None else application.read_rules(rules.document),
        )
        began = max(now - since, data.created_at, rules.set_at if rules else data.created_at)
        champion = self._desk(model).route(model).champion
        if champion is None:
            raise NotFound(f"nothing serves for {model} yet: there are no lists to learn from")
        sought = Sought(model=model, shown=champion, metric=metric, since=began, until=now)
        return evidence(sought, candidate, self._sources(model))

    def _desk(self, model: str) -> Desk:
        return desk(self.platform, model, self.actor)

    def _sources(self, model: str) -> Sources:
        from flyball.steps.ab_counts import Sources

        platform = self.platform
        return Sources(
            served=platform.served,
            kept=platform.settings.server.keep_served,
            events=platform.events,
            answers=platform.answers(model),
        )
