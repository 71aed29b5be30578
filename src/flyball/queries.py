"""The verbs that only look: what there is, what it was, and how it came to be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.answers import Experimented, ModelStatus, Served, Status, VersionDetails
from flyball.domain.deployment import Deployment
from flyball.domain.judging import Standing
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.names import VersionName
from flyball.domain.routing import Route
from flyball.domain.rules import Rules
from flyball.domain.training import Run
from flyball.domain.underway import UNDER_WAY, Underway, underway
from flyball.domain.validation import ValidationReport
from flyball.errors import InvalidRequest, NotFound
from flyball.settings import Settings
from flyball.wiring import Platform

if TYPE_CHECKING:
    from flyball.steps.shown import ShownReport

_RECENT = 50
"""Rows of the ledger in which it stands who holds a rollout."""


class Queries:
    """What one installation's records say. Nothing here changes them."""

    settings: Settings
    platform: Platform

    def status(self, model: str | None = None) -> Status:
        """How the installation stands, or one model of it."""
        from flyball.loop.lock import holder

        names = [self._known(model)] if model else sorted(self.settings.models)
        who = holder(self.platform.home)
        return Status(
            home=self.platform.home,
            control=str(who) if who else "",
            workers=tuple(self.platform.target.workers()),
            models=tuple(self._model_status(name) for name in names),
        )

    def rules(self, model: str) -> Rules | None:
        """The business rules in force; None where none were ever set."""
        from flyball.steps.set_rules import rules_of

        return rules_of(self.platform.records, self._known(model))

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a model, the oldest first."""
        return self.platform.records.find(ModelVersion, model=self._known(model))

    def show(self, model: str, version: str) -> VersionDetails:
        """Everything recorded about a version."""
        found, records = self._version(model, version), self.platform.records
        return VersionDetails(
            version=found,
            run=_or_none(lambda: records.get(Run, f"{model}/{found.run_id}")),
            reports=tuple(
                r for r in records.find(ValidationReport, model=model) if r.version == found.name
            ),
            deployments=tuple(
                d for d in records.find(Deployment, model=model) if d.version == found.name
            ),
            history=tuple(r for r in records.ledger(model=model) if r.entry.subject == found.id),
            artifact=_or_none(lambda: self.platform.blobs.get(found.artifact, verify=False)),
        )

    def page(self, report: ValidationReport) -> Path | None:
        """Where a report lies as a page for a browser; None where it is stored elsewhere."""
        directory = _or_none(lambda: self.platform.blobs.get(report.artifact, verify=False))
        return None if directory is None else directory / "report.html"

    def rollout(self, deployment: str) -> Underway:
        """How a rollout stands, by its deployment's id, ``"games/3"``; also one that has ended."""
        return self._underway(self.platform.records.get(Deployment, deployment))

    def served(self, model: str, at: datetime | None = None) -> Served:
        """Which versions served at a time (default now), since when, and decided by what."""
        from flyball.steps.serving_at import serving_at

        when = at or self.platform.clock.now()
        found = serving_at(self.platform.records, self._known(model), when)
        last = found.route.entry if found.route else None
        return Served(
            model=model,
            at=when,
            version=last.after if last else "",
            since=last.at if last else None,
            because=last.reason if last else "nothing was deployed yet",
            by=last.actor if last else "",
            ledger_row=found.route.seq if found.route else None,
            shares=found.shares,
            shared=found.shared,
            bundle=found.bundle,
        )

    def shown(
        self, model: str, *, since: timedelta = timedelta(hours=24), out: Path | None = None
    ) -> ShownReport:
        """What was shown of late, by version and variant, and what users did with it.

        Args:
            since: how far back.
            out: a Parquet file to write too: one row a shown item, a batch of data by itself.

        Raises:
            StorageUnavailable: the lists or the events cannot be read.
            EnvironmentFailed: ``out`` cannot be written.
        """
        from flyball.steps.shown import report

        platform = self.platform
        now = platform.clock.now()
        return report(
            self._known(model),
            since=now - since,
            until=now,
            served=platform.served,
            events=platform.events,
            answers=platform.answers(model),
            out=out,
        )

    def ledger(self, model: str | None = None, *, limit: int | None = None) -> list[LedgerRow]:
        """The ledger's rows, the oldest first; with ``limit`` the last so many of them."""
        return self.platform.records.ledger(model=model, limit=limit)

    def verify_ledger(self) -> int:
        """Check the ledger's whole chain; returns how many rows it has.

        Raises:
            LedgerBroken: names the first row that was changed, removed or reordered.
        """
        return self.platform.records.verify_ledger()

    def lab(
        self,
        experiment: str,
        model: str,
        *,
        version: str | None = None,
        family: str | None = None,
        **options: Any,
    ) -> Experimented:
        """Try a version or a family out on the newest data; nothing is recorded.

        Args:
            experiment: for example ``"launch"``; the application says which there are.
            version: whose family and hyperparameters to try; default the one that serves, else the
                newest.
            family: a family with its default hyperparameters instead.
            options: the experiment's own.

        Raises:
            InvalidRequest: both a version and a family are named, or an option is wrong.
            NotFound: no such version or experiment, or there is nothing to try or to learn from.
            TrainingError: the data is too little; says what is missing.
        """
        from flyball.steps.experiment import experiment as tried
        from flyball.steps.experiment import subject
        from flyball.steps.newest import newest

        platform, records = self.platform, self.platform.records
        if version is not None and family is not None:
            raise InvalidRequest("a version has its own family: give VERSION or --family, not both")
        data = newest(records, self._known(model))
        chosen = None
        if family is None:
            chosen = (
                self._version(model, version) if version is not None else subject(records, model)
            )
        name = chosen.family if chosen else str(family)
        settings = chosen.recipe.hyperparameters if chosen else None
        found = tried(
            experiment,
            application=platform.application(model),
            family=name,
            hyperparameters=settings,
            data=data,
            seed=platform.model(model).search.seed,
            options=options,
            datasets=platform.datasets,
            executor=platform.executor,
        )
        return Experimented(
            experiment=experiment,
            model=model,
            version=chosen.name if chosen else "",
            family=name,
            hyperparameters=settings or {},
            data_version=data.version,
            found=found,
        )

    def _known(self, model: str) -> str:
        self.settings.model(model)
        return model

    def _version(self, model: str, version: str) -> ModelVersion:
        """A version by its whole name, or by its number, which no two share."""
        known = self.versions(model)
        for candidate in known:
            if version in (candidate.name, candidate.name.partition("-")[0]):
                return candidate
        if not re.fullmatch(r"\d+\.\d+\.\d+", version):
            VersionName.parse(version)
        raise NotFound(
            f"{model} has no version {version}; see `flyball versions {model}`"
            + (f" (the newest is {known[-1].name})" if known else " (it has none yet)")
        )

    def _model_status(self, model: str) -> ModelStatus:
        from flyball.steps.newest import ends

        records = self.platform.records
        route = _or_none(lambda: records.get(Route, model))
        champion = route.champion if route else None
        newest = _last(records.find(Deployment, model=model, limit=1))
        rolling = newest is not None and newest.phase in UNDER_WAY
        return ModelStatus(
            model=model,
            application=self.settings.model(model).application,
            route=route,
            champion=records.get(ModelVersion, f"{model}/{champion}") if champion else None,
            deployment=newest,
            run=_last(records.find(Run, model=model, limit=1)),
            report=_last(records.find(ValidationReport, model=model, limit=1)),
            dataset=ends(records, model)[1],
            versions=len(records.find(ModelVersion, model=model)),
            rollout=self._underway(newest) if rolling else None,
        )

    def _underway(self, deployment: Deployment) -> Underway:
        records, by = self.platform.records, ""
        if deployment.held:
            for row in records.ledger(model=deployment.model, limit=_RECENT):
                if row.entry.action == "hold" and row.entry.subject == deployment.id:
                    by = row.entry.actor
        return underway(
            deployment,
            _or_none(lambda: records.get(Standing, deployment.id)),
            deadline=self.settings.model(deployment.model).rollout.deadline,
            held_by=by,
        )


def _last(found: Sequence[Any]) -> Any:
    return found[-1] if found else None


def _or_none(get: Callable[[], Any]) -> Any:
    with suppress(NotFound):
        return get()
    return None
