"""What is recorded of how a version was made, and the request that makes it again from that."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from flyball.domain.canonical import plain
from flyball.domain.data import DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.training import Origin, Run, Trial
from flyball.errors import ArtifactCorrupt, NotFound, StorageUnavailable
from flyball.ports import Application, Blobs, Datasets, Records
from flyball.steps.causes import Made
from flyball.steps.fit import FitRequest
from flyball.steps.manifest import Manifest, read_manifest

NO_LIMIT_S = 30 * 24 * 3600.0
"""For a search that is done again: it ends by its number of trials, not by the clock."""

LEAST_OF_TIME = 0.75
"""A search's last trials are combinations, begun when this much of its time is spent at the
earliest (``agenda.COMBINED_MOST``): from there on the clock may have decided what was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A version's record.

    Attributes:
        artifact: the stored artifact's directory, verified.
        data: the dataset version it learnt from.
        listed: the DVC hash of each file of that, by name, as its own listing says.
        tables: paths of its Parquet files by table, in order of arrival, verified.
    """

    version: ModelVersion
    run: Run
    artifact: Path
    manifest: Manifest
    data: DatasetVersion
    listed: Mapping[str, str]
    tables: Mapping[str, list[str]]

    @classmethod
    def of(
        cls, version: ModelVersion, *, records: Records, datasets: Datasets, blobs: Blobs
    ) -> Recorded:
        """Read it all.

        Raises:
            StorageUnavailable: the data or the artifact is gone; says how to get it back.
            ArtifactCorrupt: a file of them is damaged.
            NotFound: the run or the dataset version is not recorded.
        """
        run = records.get(Run, f"{version.model}/{version.run_id}")
        data = records.get(DatasetVersion, f"{version.model}/{version.recipe.data_version}")
        tables = _tables(data, datasets)
        listed = data.files
        with suppress(NotFound):
            listed = datasets.listing(data.version)
        artifact = _artifact(version, blobs)
        return cls(
            version=version,
            run=run,
            artifact=artifact,
            manifest=read_manifest(artifact),
            data=data,
            listed=listed,
            tables=tables,
        )

    @property
    def trials(self) -> tuple[Trial, ...]:
        """What the search tried."""
        return self.run.result.trials if self.run.result else ()

    @property
    def spent_s(self) -> float:
        """Seconds that the search took."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def clocked(self) -> bool:
        """Whether the clock may have decided what the search tried."""
        return self.spent_s >= LEAST_OF_TIME * self.run.budget.timeout_s

    def made(self) -> Made:
        """What the version was made from."""
        result = self.run.result
        return made_from(
            self.manifest,
            self.listed,
            packages=result.packages if result else (),
            platform=result.platform if result else {},
        )

    def request(
        self, application: Application, *, out: Path, study: Path, threads: int | None
    ) -> FitRequest:
        """What fits the winner again.

        Args:
            out: a directory to make.
            study: a file for the checkpoints of a search.
            threads: for BLAS, instead of as many as are recorded.
        """
        version, run, own = self.version, self.run, application.families
        recorded = run.result.objective if run.result else ""
        return FitRequest(
            model=version.model,
            application=application.name,
            families=[*own, *({version.family} - {*own})],
            objective=recorded or application.objective,
            tables=self.tables,
            data_version=self.data.version,
            seed=run.seed,
            trials=run.budget.trials,
            timeout_s=run.budget.timeout_s,
            study_url=f"sqlite:///{study}",
            study_name=f"again-{run.run_id}",
            out=str(out),
            winner={
                "family": version.family,
                "hyperparameters": plain(version.recipe.hyperparameters),
            },
            threads=threads or self.manifest.threads,
        )

    def searching(self, request: FitRequest) -> FitRequest:
        """What does the search again, too: without a clock, with what it took from earlier runs."""
        earlier = [
            {"family": trial.family, "hyperparameters": plain(trial.hyperparameters)}
            for trial in self.trials
            if trial.origin is Origin.EARLIER
        ]
        trials = len(self.trials) if self.clocked else request.trials
        return replace(request, winner=None, earlier=earlier, trials=trials, timeout_s=NO_LIMIT_S)


def made_from(
    manifest: Manifest,
    files: Mapping[str, str],
    *,
    packages: tuple[str, ...],
    platform: Mapping[str, str],
) -> Made:
    """What an artifact was made from, by its manifest and what is known beside it."""
    return Made(
        files=files,
        architecture=manifest.architecture,
        code=manifest.code,
        environment=manifest.environment,
        seeds=manifest.seeds,
        threads=manifest.threads,
        packages=packages,
        platform=platform,
    )


def _artifact(version: ModelVersion, blobs: Blobs) -> Path:
    try:
        return blobs.get(version.artifact)
    except NotFound as error:
        raise StorageUnavailable(f"{version.id} has nothing to compare with: {error}") from error


def _tables(data: DatasetVersion, datasets: Datasets) -> dict[str, list[str]]:
    pull = f"`flyball data pull {data.model} {data.version}`"
    try:
        return {
            table: [str(datasets.path(md5)) for md5 in md5s]
            for table, md5s in data.tables().items()
        }
    except NotFound as error:
        raise StorageUnavailable(
            f"data of the dataset version {data.id} is gone: {error}; {pull} brings it back, if "
            "it was pushed"
        ) from error
    except ArtifactCorrupt as error:
        raise ArtifactCorrupt(
            f"data of the dataset version {data.id} was changed: {error}; {pull} brings it back, "
            "if it was pushed to a remote elsewhere"
        ) from error
