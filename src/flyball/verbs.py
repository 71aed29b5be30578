"""The verbs: one way in. The command line, the HTTP API and the console call these.

::

    with Flyball(home="shop") as flyball:
        turn = flyball.run("games", ["purchases.csv"])
        print(turn.trained.version.name, turn.report.decision)
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from flyball import configuration
from flyball.answers import Ingested, Progress, Trained, Turn
from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.rules import Rules
from flyball.domain.training import Run
from flyball.domain.validation import ValidationReport
from flyball.errors import InvalidRequest
from flyball.plans import Plans
from flyball.proofs import Proofs
from flyball.reproductions import Reproductions
from flyball.rollouts import Rollouts
from flyball.settings import Settings
from flyball.wiring import Platform, build
from flyball.work import Work

if TYPE_CHECKING:
    from flyball.ab import AbTests
    from flyball.access.verbs import Access
    from flyball.data.verbs import Data
    from flyball.drills import Drills


class Flyball(Rollouts, Reproductions, Proofs, Plans):
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

    @cached_property
    def data(self) -> Data:
        """What is in the datasets: profiles, quarantine, versions, schemas, privacy, lineage."""
        from flyball.data.verbs import Data

        return Data(self.platform, self.actor, ingest=self.ingest)

    @property
    def ab(self) -> AbTests:
        """A/B tests of the two versions of a rollout."""
        from flyball.ab import AbTests

        return AbTests(self.platform, self.actor, version=self._version)

    @property
    def drills(self) -> Drills:
        """What can be rehearsed on the live system."""
        from flyball.drills import Drills

        return Drills(self.platform, self.actor)

    @property
    def access(self) -> Access:
        """Who may do what: keys, clients, accounts, signing keys."""
        from flyball.access.verbs import Access

        return Access(self.platform.records, self.platform.clock, self.actor)

    # --- the loop ---------------------------------------------------------------------------

    def run(
        self,
        model: str,
        sources: Sequence[str] = (),
        *,
        query: str | None = None,
        from_events: bool = False,
        accept_anomalies: bool = False,
        wait: bool = True,
        progress: Progress | None = None,
    ) -> Turn | str:
        """One turn of the loop: ingest, train, validate, deploy.

        Args:
            sources: what to ingest first; none to train on the data there is. See ``ingest``.
            wait: False hands the turn to the running ``flyball up`` and returns its id.

        Raises:
            FlyballError: of the step that could not be done. What was done before is kept, and the
                same call goes on from there.
        """
        request = {
            "model": self._known(model),
            "sources": self._located(model, sources, query, from_events),
            "accept": accept_anomalies,
            "actor": self.actor,
        }
        if not wait:
            return self._work.handed_over("run", request)
        return self._turn(self._work.done("run", request, model, progress))

    def ingest(
        self,
        model: str,
        sources: Sequence[str] = (),
        *,
        query: str | None = None,
        from_events: bool = False,
        accept_anomalies: bool = False,
        batch_id: str | None = None,
        progress: Progress | None = None,
    ) -> list[Ingested]:
        """One or more batches into the model's dataset.

        Args:
            sources: files, globs, directories, ``http(s)://`` or ``s3://`` URLs, a database's
                URL, ``"-"`` for standard input; each becomes one batch.
            query: the SELECT statement, where the one source is a database.
            from_events: also the model's own events that are in no batch yet.
            accept_anomalies: take batches that are severely abnormal, too.
            batch_id: the batch's name, where there is one source; default from its content.

        Raises:
            DataQualityError: a source cannot be used; the ones before it were ingested.
            InvalidRequest: no source, or one name for several batches.
        """
        asked = len(sources) + from_events
        if not asked:
            raise InvalidRequest("there is nothing to ingest: give a source")
        if batch_id is not None and asked > 1:
            raise InvalidRequest("a batch id names one batch: give one source with it")
        request = {
            "model": self._known(model),
            "sources": self._located(model, sources, query, from_events),
            "batch_id": batch_id,
            "accept": accept_anomalies,
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

    def set_rules(self, model: str, document: Mapping[str, Any]) -> Rules:
        """Put business rules in force, in place of those there are; serving follows in a second.

        Args:
            document: JSON types; the application says what may stand in it. Empty: no rules.

        Raises:
            ConfigurationError: the application cannot read them; says which key is wrong.
            StaleWrite: somebody else set others in the meantime.
        """
        from flyball.steps.set_rules import set_rules

        platform = self.platform
        return set_rules(
            self._known(model),
            document,
            application=platform.application(model),
            records=platform.records,
            clock=platform.clock,
            actor=self.actor,
        )

    # --- how --------------------------------------------------------------------------------

    def _located(
        self, model: str, sources: Sequence[str], query: str | None, from_events: bool
    ) -> list[str]:
        from flyball.data.locations import Locations

        where = Locations(self.platform, self.actor)
        stdin = getattr(sys.stdin, "buffer", None)
        return where.of(
            self._known(model), sources, query=query, from_events=from_events, stdin=stdin
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

    def _turn(self, done: Mapping[str, Any]) -> Turn:
        return Turn(
            ingested=tuple(self._ingested(item) for item in done["batches"]),
            trained=self._trained(done["train"]),
            report=self.platform.records.get(ValidationReport, done["validate"]["report"]),
            deployed=self._deployed(done["deploy"]) if done["deploy"] else None,
        )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
