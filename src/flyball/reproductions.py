"""The verb that trains a version again, from its record alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.answers import Progress, Update
from flyball.errors import InvalidRequest
from flyball.queries import Queries

if TYPE_CHECKING:
    from flyball.steps.reproduction import Reproduction

STAGE = "reproduce"


class Reproductions(Queries):
    """Is a version what its record says? Nothing here changes a version."""

    actor: str

    def reproduce(
        self,
        model: str,
        version: str,
        *,
        search: bool = False,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Reproduction:
        """Train a version again, and say how alike the two are; the ledger gets a row.

        Works beside a running ``flyball up``. Stores and registers nothing.

        Args:
            search: do the search again, too; else only its winner is fitted.
            threads: for BLAS, instead of as many as are recorded.

        Raises:
            InvalidRequest: fewer than one thread.
            NotFound: no such version.
            StorageUnavailable: the data or the artifact is gone; says how to get it.
            ArtifactCorrupt: a file of them is damaged.
            TrainingError, ConfigurationError: the installed code cannot fit it any more.
            EnvironmentFailed: the child crashed, or ran out of memory or time.
        """
        from flyball.loop.scratch import sweep
        from flyball.steps.reproduce import Reproducer

        if threads is not None and threads < 1:
            raise InvalidRequest(f"a fit needs at least one thread, not {threads}")

        def told(what: str, done: int, of: int) -> None:
            if progress is not None:
                progress(Update(stage=STAGE, detail=_detail(what, done, of), done=done, total=of))

        platform, found = self.platform, self._version(model, version)
        scratch = platform.scratch()
        sweep(scratch.parent)  # what a reproduction that was killed left
        reproducer = Reproducer(
            application=platform.application(model),
            records=platform.records,
            datasets=platform.datasets,
            blobs=platform.blobs,
            executor=platform.executor,
            clock=platform.clock,
            scratch=scratch,
            actor=self.actor,
            told=told,
        )
        return reproducer(found, search=search, threads=threads)


def _detail(what: str, done: int, of: int) -> str:
    return f"{what}: {done} of at most {of} trials" if of else what
