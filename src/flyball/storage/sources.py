"""Where data comes from: files of any kind, from anywhere, as one stream of typed rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flyball.domain.schema import Schema
from flyball.errors import DataQualityError, StorageUnavailable
from flyball.ports import Chunk, Events
from flyball.storage.fetching import Fetcher, shown
from flyball.storage.reading.archives import parts_of
from flyball.storage.reading.block import BLOCK_BYTES, Block, Fit
from flyball.storage.reading.cells import fitted
from flyball.storage.reading.kinds import header_only, opened
from flyball.storage.reading.packed import Part


class FileSources:
    """The port ``Sources``. Keeps no state; safe for several threads.

    Args:
        scratch: a folder for what must be fetched or unpacked; the system's where None.
        events: the product's own events; None where no location may name them.
        fetcher: brings files here; with the usual patience where None.
        block: how many bytes of a text file are taken at a time. Nothing else depends on it.
    """

    def __init__(
        self,
        scratch: Path | None = None,
        events: Events | None = None,
        *,
        fetcher: Fetcher | None = None,
        block: int = BLOCK_BYTES,
    ) -> None:
        self._scratch = scratch
        self._fetcher = fetcher or Fetcher(events=events)
        self._block = block

    @contextmanager
    def open(self, location: str, schemas: Sequence[Schema]) -> Iterator[FilesReading]:
        """See ``Sources.open``."""
        with self._workplace() as folder:
            fetched = self._fetcher.fetch(location, folder)
            alone = len(fetched) == 1
            parts = [
                part
                for item in fetched
                for part in parts_of(item.path, name="" if alone else item.name, shown=item.name)
            ]
            yield FilesReading(
                shown(location),
                parts,
                schemas,
                folder,
                block=self._block,
                pseudonymous=all(item.pseudonymous for item in fetched),
            )

    @contextmanager
    def _workplace(self) -> Iterator[Path]:
        try:
            if self._scratch is not None:
                self._scratch.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(dir=self._scratch, prefix="source-")
        except OSError as error:
            raise StorageUnavailable(
                f"no folder can be made in {self._scratch}: {error.strerror or error}; "
                "check its permissions and space"
            ) from error
        with folder as name:
            yield Path(name)


class FilesReading:
    """The port ``Reading`` on local files: one after the other, each opened twice.

    Raises:
        DataQualityError: a file cannot be used, or the files have not the same columns.
    """

    def __init__(
        self,
        source: str,
        parts: Sequence[Part],
        schemas: Sequence[Schema],
        scratch: Path,
        *,
        block: int = BLOCK_BYTES,
        pseudonymous: bool = False,
    ) -> None:
        self.source = source
        self.pseudonymous = pseudonymous
        self._parts = parts
        self._scratch = scratch
        self._block = block
        self._schemas = schemas
        self._fits = [self._fit(part) for part in parts]
        first = self._fits[0]
        for part, fit in zip(parts, self._fits, strict=True):
            _check_alike(parts[0], first, part, fit)
        self.schema = first.schema
        self.columns = first.canonical
        self.ignored = tuple(dict.fromkeys(name for fit in self._fits for name in fit.ignored))

    def __iter__(self) -> Iterator[Chunk]:
        """See ``Reading``."""
        for part, fit in zip(self._parts, self._fits, strict=True):
            records = 0
            with opened(part, self._schemas, self._scratch, known=fit, size=self._block) as file:
                for block in file.blocks():
                    chunk = self._chunk(part, file.fit, block)
                    records += chunk.frame.height + chunk.rejected.height + chunk.blank
                    yield chunk
            if not records:
                raise header_only(part.shown)

    def _fit(self, part: Part) -> Fit:
        with opened(part, self._schemas, self._scratch) as file:
            return file.fit

    def _chunk(self, part: Part, fit: Fit, block: Block) -> Chunk:
        try:
            return fitted(block, fit, part.name)
        except DataQualityError as error:
            raise DataQualityError(f"{part.shown}: {error}") from error


def _check_alike(first: Part, expected: Fit, part: Part, fit: Fit) -> None:
    """Refuse files that are not parts of one table."""
    if fit.schema is not expected.schema:
        raise DataQualityError(
            f"{first.shown} is a table of {expected.schema.name}, and {part.shown} one of "
            f"{fit.schema.name}; pass them as sources of their own"
        )
    here, there = set(expected.canonical), set(fit.canonical)
    if here != there:
        more = [f"{part.shown} has {name}" for name in sorted(there - here)]
        less = [f"{part.shown} lacks {name}" for name in sorted(here - there)]
        raise DataQualityError(
            f"{first.shown} and {part.shown} have not the same columns: "
            f"{', '.join(less + more)}; make them alike, or pass them as sources of their own"
        )
