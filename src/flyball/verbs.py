"""The verbs: one way in. The command line, the HTTP API and the console call these.

::

    with Flyball(home="shop") as flyball:
        turn = flyball.run("games", ["purchases.csv"])
        print(turn.trained.version.name, turn.report.decision)
"""

from __future__ import annotations

import getpass
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from flyball import configuration
from flyball.answers import (
    Deployed,
    Ingested,
    ModelStatus,
    Progress,
    RolledBack,
    Served,
    Status,
    Trained,
    Turn,
    VersionDetails,
)
from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.deployment import Deployment
from flyball.domain.evidence import EvidenceKind
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.names import VersionName
from flyball.domain.routing import Route
from flyball.domain.training import Run
from flyball.domain.validation import ValidationReport
from flyball.errors import InvalidRequest, NotFound
from flyball.settings import Settings
from flyball.wiring import Platform, build
from flyball.work import Work

if TYPE_CHECKING:
    from flyball.steps.desk import Desk

LOOK_EVERY_S = 0.02
RESTORE_WITHIN_S = 15.0


class Flyball:
    """One installation, by its home. Cheap to make: nothing is opened before a verb needs it.

    Close it when done, or use it as a context manager.

    Args:
        home: where its state lies; default ``FLYBALL_HOME``, else ``.flyball``.
        config: settings to use instead of ``flyball.toml`` and ``FLYBALL_*``.
        actor: who decides, for the ledger; default ``operator:<user name>``.
    """

    def __init__(
        self,
        home: Path | str | None = None,
        *,
        config: Settings | None = None,
        actor: str | None = None,
    ) -> None:
        self.settings = config or configuration.load(Path(home) if home is not None else None)
        self.platform: Platform = build(self.settings)
        self._work = Work(self.platform)
        self.actor = actor or f"operator:{_user()}"

    def close(self) -> None:
        """Let go of every connection that a verb opened. Harmless to repeat."""
        self.platform.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the loop ---------------------------------------------------------------------------

    def run(
        self,
        model: str,
        sources: Sequence[str] = (),
        *,
        wait: bool = True,
        progress: Progress | None = None,
    ) -> Turn | str:
        """One turn of the loop: ingest, train, validate, deploy.

        Args:
            sources: files to ingest first; none to train on the data there is.
            wait: False hands the turn to the running ``flyball up`` and returns its id.

        Raises:
            FlyballError: of the step that could not be done. What was done before is kept, and the
                same call goes on from there.
        """
        request = {"model": self._known(model), "sources": _located(sources), "actor": self.actor}
        if not wait:
            return self._work.handed_over("run", request)
        return self._turn(self._work.done("run", request, model, progress))

    def ingest(
        self,
        model: str,
        sources: Sequence[str],
        *,
        batch_id: str | None = None,
        progress: Progress | None = None,
    ) -> list[Ingested]:
        """One or more batches into the model's dataset.

        Args:
            batch_id: the batch's name, where there is one source; default from its content.

        Raises:
            DataQualityError: a source cannot be used; the ones before it were ingested.
            InvalidRequest: one name for several batches.
        """
        if batch_id is not None and len(sources) > 1:
            raise InvalidRequest("a batch id names one batch: give one source with it")
        request = {
            "model": self._known(model),
            "sources": _located(sources),
            "batch_id": batch_id,
            "actor": self.actor,
        }
        done = self._work.done("ingest", request, model, progress)
        return [self._ingested(item) for item in done["batches"]]

    def train(
        self,
        model: str,
        *,
        trials: int | None = None,
        timeout_s: float | None = None,
        data: str | None = None,
        progress: Progress | None = None,
    ) -> Trained:
        """Search, fit, track and register a candidate."""
        request = {
            "model": self._known(model),
            "trials": trials,
            "timeout_s": timeout_s,
            "data": data,
            "actor": self.actor,
        }
        return self._trained(self._work.done("train", request, model, progress))

    def validate(
        self, model: str, version: str, *, progress: Progress | None = None
    ) -> ValidationReport:
        """The report on a version, and the move of its state that follows."""
        request = {"version": self._version(model, version).id, "actor": self.actor}
        done = self._work.done("validate", request, model, progress)
        return self.platform.records.get(ValidationReport, done["report"])

    def deploy(self, model: str, version: str, *, progress: Progress | None = None) -> Deployed:
        """A validated version into service, followed until its bake begins."""
        request = {"version": self._version(model, version).id, "actor": self.actor}
        return self._deployed(self._work.done("deploy", request, model, progress))

    def rollback(self, model: str, *, reason: str = "") -> RolledBack:
        """The previous good version serves again, at once, also while no control process runs."""
        from flyball.loop.tasks import desk
        from flyball.steps.rollback import rollback

        bench = desk(self.platform, self._known(model), self.actor)
        withdrawn = bench.route(model).champion or ""
        began, why = bench.clock.now(), reason or f"decided by {self.actor}"
        route = rollback(bench, model, reason=why, kind=EvidenceKind.DECISION)
        return RolledBack(
            model=model,
            withdrawn=withdrawn,
            serving=route.champion or "",
            reason=why,
            seconds=_acknowledged(bench, model, since=began),
        )

    # --- what is ----------------------------------------------------------------------------

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

    def served(self, model: str, at: datetime | None = None) -> Served:
        """Which version served at a time (default now), since when, and decided by what."""
        when = at or self.platform.clock.now()
        rows = [
            row
            for row in self.platform.records.ledger(model=self._known(model))
            if row.entry.action == "route" and row.entry.at <= when
        ]
        last = rows[-1] if rows else None
        return Served(
            model=model,
            at=when,
            version=last.entry.after if last else "",
            since=last.entry.at if last else None,
            because=last.entry.reason if last else "nothing was deployed yet",
            by=last.entry.actor if last else "",
            ledger_row=last.seq if last else None,
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

    # --- how --------------------------------------------------------------------------------

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
        records = self.platform.records
        route = _or_none(lambda: records.get(Route, model))
        champion = route.champion if route else None
        return ModelStatus(
            model=model,
            application=self.settings.model(model).application,
            route=route,
            champion=records.get(ModelVersion, f"{model}/{champion}") if champion else None,
            deployment=_last(records.find(Deployment, model=model, limit=1)),
            run=_last(records.find(Run, model=model, limit=1)),
            report=_last(records.find(ValidationReport, model=model, limit=1)),
            dataset=_last(records.find(DatasetVersion, model=model, limit=1)),
            versions=len(records.find(ModelVersion, model=model)),
        )

    def _ingested(self, item: Mapping[str, Any]) -> Ingested:
        records = self.platform.records
        return Ingested(
            batch=records.get(DataBatch, item["batch"]),
            dataset=records.get(DatasetVersion, item["dataset"]),
            new=item["new"],
            note=item["note"],
        )

    def _trained(self, item: Mapping[str, Any]) -> Trained:
        records = self.platform.records
        return Trained(
            version=records.get(ModelVersion, item["version"]),
            run=records.get(Run, item["run"]),
            new=item["new"],
        )

    def _deployed(self, item: Mapping[str, Any]) -> Deployed:
        found = self.platform.records.get(Deployment, item["deployment"])
        return Deployed(deployment=found, new=item["new"])

    def _turn(self, done: Mapping[str, Any]) -> Turn:
        return Turn(
            ingested=tuple(self._ingested(item) for item in done["batches"]),
            trained=self._trained(done["train"]),
            report=self.platform.records.get(ValidationReport, done["validate"]["report"]),
            deployed=self._deployed(done["deploy"]) if done["deploy"] else None,
        )


def _located(sources: Sequence[str]) -> list[str]:
    """Paths made absolute: the process that reads them may have another working directory."""
    return [source if "://" in source else str(Path(source).resolve()) for source in sources]


def _acknowledged(bench: Desk, model: str, *, since: datetime) -> float | None:
    """Seconds until every worker served the restored version; None where not all did in time."""
    from flyball.steps.rollback import restore

    pause, waited = threading.Event(), 0.0
    while waited <= RESTORE_WITHIN_S and bench.target.workers():
        waited = (bench.clock.now() - since).total_seconds()
        if restore(bench, model):
            return waited
        pause.wait(LOOK_EVERY_S)
    return None


def _last(found: Sequence[Any]) -> Any:
    return found[-1] if found else None


def _or_none(get: Callable[[], Any]) -> Any:
    with suppress(NotFound):
        return get()
    return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
