"""Reproduce: train a version again from its record alone, and say how alike the two are.

Everything is taken from the record: the files of the dataset version, the hyperparameters, the
seed and the number of threads. The work happens in a temporary folder, in the child that trained
the version in the first place. Nothing is stored or registered, and the version stays as it is;
only the ledger gets a row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion
from flyball.ports import Application, Blobs, Clock, Datasets, Executor, Records
from flyball.steps.artifact_difference import CompareRequest, content_digest
from flyball.steps.causes import Cause, causes
from flyball.steps.fit import ARTIFACT, PROGRESS, FitRequest
from flyball.steps.manifest import NAME, Manifest, read_manifest
from flyball.steps.recorded import Recorded, made_from
from flyball.steps.reproduction import (
    ArrayPair,
    FilePair,
    MetricPair,
    Reproduction,
    compared,
    judged,
)
from flyball.steps.searched_again import search_cause
from flyball.steps.workplace import workplace

ACTION = "reproduce"
CHILD = "flyball.children:fit_candidate"
COMPARE = "flyball.steps.artifact_difference:compare"

FINISH_S = 900.0
"""What the last trial, the fit and the packaging may take beside the search's time."""

SLOWER = 3.0
"""How much longer a search may take than the first time: the machine may be busier."""

LOOK_EVERY_S = 0.5

Told = Callable[[str, int, int], None]
"""Takes what is being done, and how many of how many parts of it are done (0: not known)."""


def _nobody(_what: str, _done: int, _of: int) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproducer:
    """What every reproduction on one installation needs.

    Attributes:
        application: of the model.
        scratch: a folder for temporary files, on the home's disk.
        actor: who asked, for the ledger.
        told: is told how far it is.
    """

    application: Application
    records: Records
    datasets: Datasets
    blobs: Blobs
    executor: Executor
    clock: Clock
    scratch: Path
    actor: str
    told: Told = _nobody

    def __call__(
        self, version: ModelVersion, *, search: bool = False, threads: int | None = None
    ) -> Reproduction:
        """Train ``version`` again and compare.

        Args:
            search: do the search again, too, from its seed; else only the winner is fitted.
            threads: for BLAS, instead of as many as are recorded.

        Raises:
            StorageUnavailable: the data or the artifact is gone (says how to get it), or the disk
                or the database cannot be written.
            ArtifactCorrupt: a file of them is damaged.
            TrainingError, ConfigurationError: the installed code cannot fit it any more.
            EnvironmentFailed: the child crashed, or ran out of memory or time.
        """
        began = self.clock.now()
        self.told("reading the record", 0, 0)
        recorded = Recorded.of(
            version, records=self.records, datasets=self.datasets, blobs=self.blobs
        )
        failed = f"{version.id} could not be trained again"
        with workplace(self.scratch, prefix="reproduce-", failed=failed) as folder:
            request = recorded.request(
                self.application,
                out=folder / "out",
                study=folder / "study.sqlite",
                threads=threads,
            )
            if search:
                request = recorded.searching(request)
            made = self._made(request, recorded)
            done = self._compared(recorded, request, made)
        done = replace(done, seconds=(self.clock.now() - began).total_seconds())
        self.records.commit([], [self._entry(done)])
        return done

    # --- again --------------------------------------------------------------------------------

    def _made(self, request: FitRequest, recorded: Recorded) -> Mapping[str, Any]:
        what, of = ("fitting", 0) if request.winner is not None else ("searching", request.trials)
        limit = max(recorded.run.budget.timeout_s, SLOWER * recorded.spent_s) + FINISH_S
        with self._watched(Path(request.out) / PROGRESS, what, of):
            made: Mapping[str, Any] = self.executor.call(CHILD, asdict(request), timeout_s=limit)
        return made

    @contextmanager
    def _watched(self, lines: Path, what: str, of: int) -> Iterator[None]:
        """Tell of each trial that ends meanwhile, by the lines of the child's progress file."""
        over = threading.Event()

        def follow() -> None:
            while not over.wait(LOOK_EVERY_S):
                with suppress(OSError):  # the child has not begun it
                    self.told(what, min(lines.read_bytes().count(b"\n"), of), of)

        self.told(what, 0, of)
        thread = threading.Thread(target=follow, name="progress of a reproduction", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    # --- beside the first ---------------------------------------------------------------------

    def _compared(
        self, recorded: Recorded, request: FitRequest, made: Mapping[str, Any]
    ) -> Reproduction:
        self.told("comparing", 0, 0)
        fresh = Path(request.out) / ARTIFACT
        manifest, again = read_manifest(fresh), content_digest(fresh)
        pairs: tuple[FilePair, ...] = ()
        metrics: tuple[MetricPair, ...] = ()
        if again != content_digest(recorded.artifact):
            pairs, metrics = self._apart(request, recorded, manifest)
        found = self._causes(recorded, request, manifest, made)
        files = len(recorded.manifest.files) + 1  # they are all but the manifest itself
        outcome, why = judged(
            differences=pairs, metrics=metrics, found=found, files=files, manifest=NAME
        )
        version = recorded.version
        return Reproduction(
            model=version.model,
            version=version.name,
            outcome=outcome,
            why=why,
            cause=found[0] if found else None,
            causes=found,
            artifact=version.artifact,
            again=again if pairs else version.artifact,
            files=files,
            searched=request.winner is None,
            threads=manifest.threads,
            metrics=metrics,
            differences=pairs,
            platform_known=bool(recorded.made().platform),
        )

    def _causes(
        self, recorded: Recorded, request: FitRequest, again: Manifest, made: Mapping[str, Any]
    ) -> tuple[Cause, ...]:
        packages, platform = tuple(made["packages"]), made["platform"]
        now = made_from(again, recorded.data.files, packages=packages, platform=platform)
        found = causes(recorded.made(), now)
        if request.winner is not None:
            return found
        cause = search_cause(recorded.trials, made["trials"], clocked=recorded.clocked)
        return (*found, cause) if cause is not None else found

    def _apart(
        self, request: FitRequest, recorded: Recorded, again: Manifest
    ) -> tuple[tuple[FilePair, ...], tuple[MetricPair, ...]]:
        """The files that differ, and the metrics with their tolerances."""
        asked = CompareRequest(
            application=request.application,
            recorded=str(recorded.artifact),
            again=str(Path(request.out) / ARTIFACT),
            tables=request.tables,
            seed=request.seed,
            measure=recorded.manifest.files != again.files,
        )
        found = self.executor.call(COMPARE, asdict(asked), timeout_s=FINISH_S)
        metrics = compared(recorded.manifest.metrics, again.metrics, found["errors"])
        return tuple(map(_pair, found["files"])), metrics

    def _entry(self, done: Reproduction) -> Entry:
        return Entry(
            at=self.clock.now(),
            actor=self.actor,
            action=ACTION,
            subject=f"{done.model}/{done.version}",
            model=done.model,
            before=done.artifact,
            after=done.again,
            reason=f"{done.outcome}: {done.why}",
        )


def _pair(found: Mapping[str, Any]) -> FilePair:
    arrays = tuple(ArrayPair(**array) for array in found["arrays"])
    return FilePair(**{**found, "arrays": arrays})
