"""Parquet and Arrow: files of typed columns, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import polars as pl

from flyball.domain.schema import Schema
from flyball.errors import DataQualityError, StorageUnavailable
from flyball.storage.reading.arrow import batches, check_file
from flyball.storage.reading.block import Block, Fit, numbered
from flyball.storage.reading.fitting import fit_of, misfit
from flyball.storage.reading.packed import Part, Stream
from flyball.storage.reading.parquet import TRUSTED, check_pages
from flyball.storage.reading.proving import prove

ROWS = 1 << 17
"""How many rows are taken at a time."""

_FAULTS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
_PARQUET, _ARROW = b"PAR1", b"ARROW1"


class Columnar:
    """A file of typed columns. Implements ``Records``.

    Args:
        frames: its rows, once: of the columns that ``fit`` names.
    """

    def __init__(self, fit: Fit, frames: Callable[[], Iterator[pl.DataFrame]]) -> None:
        self.fit = fit
        self._frames = frames

    def blocks(self) -> Iterator[Block]:
        """See ``Records.blocks``."""
        row = 1
        for frame in self._frames():
            for part in frame.iter_slices(ROWS):
                yield Block(part, numbered(row, part.height))
                row += part.height


@contextmanager
def columnar(
    part: Part, stream: Stream, schemas: Sequence[Schema], scratch: Path
) -> Iterator[Columnar]:
    """A Parquet file, an Arrow file or an Arrow stream.

    Raises:
        DataQualityError: damaged, cut short, of other columns, or without rows.
        StorageUnavailable: there is no space to unpack it.
    """
    if not stream.peek(6).startswith((_PARQUET, _ARROW)):
        yield _stream(part, stream, schemas)
        return
    with _seekable(part, stream, scratch) as path:
        parquet = stream.peek(4) == _PARQUET or _begins(path, _PARQUET)
        yield _file(path, "Parquet" if parquet else "Arrow", part.shown, schemas)


def _file(path: Path, kind: str, shown: str, schemas: Sequence[Schema]) -> Columnar:
    magic, scan = (_PARQUET, pl.scan_parquet) if kind == "Parquet" else (_ARROW, pl.scan_ipc)
    if not _ends(path, magic):
        raise DataQualityError(f"{shown}: the {kind} data is cut short; fetch it again")
    try:
        if kind == "Arrow":
            check_file(path)
        rows = scan(path, glob=False, hive_partitioning=False)
        names = rows.collect_schema().names()
        height = cast(int, rows.select(pl.len()).collect().item())
    except (*_FAULTS, EOFError) as error:
        raise _damaged(shown, kind, error) from None
    fit = _fit(names, schemas, shown)
    if not height:
        raise _no_rows(shown)
    wanted = rows.select(sorted(set(fit.columns.values())))

    def frames() -> Iterator[pl.DataFrame]:
        try:
            if kind == "Parquet":
                _check_parquet(path, set(fit.columns.values()))
            yield from wanted.collect_batches(chunk_size=ROWS, maintain_order=True)
        except (*_FAULTS, EOFError) as error:
            raise _damaged(shown, kind, error) from None

    return Columnar(fit, frames)


def _check_parquet(path: Path, columns: Collection[str]) -> None:
    if not check_pages(path, columns) <= TRUSTED:
        prove(path, columns)


def _stream(part: Part, stream: Stream, schemas: Sequence[Schema]) -> Columnar:
    try:
        found = batches(stream)
        first = next(found)
    except StopIteration:
        raise _no_rows(part.shown) from None
    except (*_FAULTS, EOFError) as error:
        raise _damaged(part.shown, "Arrow", error) from None
    fit = _fit(first.columns, schemas, part.shown)
    wanted = sorted(set(fit.columns.values()))

    def frames() -> Iterator[pl.DataFrame]:
        yield first.select(wanted)
        try:
            for frame in found:
                yield frame.select(wanted)
        except (*_FAULTS, EOFError) as error:
            raise _damaged(part.shown, "Arrow", error) from None

    return Columnar(fit, frames)


def _fit(names: Sequence[str], schemas: Sequence[Schema], shown: str) -> Fit:
    fit = fit_of(names, schemas)
    if fit is None:
        raise misfit(names, schemas, shown)
    return fit


@contextmanager
def _seekable(part: Part, stream: Stream, scratch: Path) -> Iterator[Path]:
    """The file itself, or what was packed in it, unpacked: such files are read from their end."""
    if not stream.kind:
        yield part.path
        return
    with TemporaryDirectory(dir=scratch, prefix="unpacked-") as folder:
        path = Path(folder, "data")
        try:
            with path.open("wb") as file:
                while data := stream.read(1 << 20):
                    file.write(data)
        except OSError as error:
            raise StorageUnavailable(
                f"{part.shown} could not be unpacked to {folder}: {error.strerror or error}; "
                "make space, or unpack it elsewhere"
            ) from error
        yield path


def _begins(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _ends(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - len(magic)))
        return size >= 2 * len(magic) and file.read() == magic


def _no_rows(shown: str) -> DataQualityError:
    return DataQualityError(f"{shown} has columns and no rows; export the rows as well")


def _damaged(shown: str, kind: str, error: BaseException) -> DataQualityError:
    if isinstance(error, EOFError):
        return DataQualityError(f"{shown}: the {kind} data is cut short; fetch it again")
    words = (str(error).splitlines() or ["unreadable"])[0]
    return DataQualityError(
        f"{shown}: the {kind} data is damaged ({words[:200]}); fetch or export it again"
    )
