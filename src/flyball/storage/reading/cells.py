"""Blocks of cells, divided into rows that fit a schema and rows that could not be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from flyball.domain.schema import Column, Privacy
from flyball.errors import DataQualityError
from flyball.ports import DETAIL, LINE, RAW, REASON, Chunk
from flyball.storage.reading.block import ODD, Block, Fit, Odd
from flyball.storage.reading.values import WORDS, as_text, cell_of, value_of

_SHOWN = 60
"""So much of a cell is shown where it could not be read."""


def fitted(block: Block, fit: Fit, file: str) -> Chunk:
    """A block's rows in canonical columns and types; those with an unreadable cell are rejected.

    Raises:
        DataQualityError: a column's type can never become the schema's.
    """
    wanted = [column for column in fit.schema.columns if column.name in fit.columns]
    cells, values = _columns(block, fit, wanted)
    frame = values.with_columns(block.lines.alias(LINE))
    blank = _blank(block, fit, cells)
    bad, unread = _unread(cells, values, wanted)
    rejected = _unsplit(block.odd, fit)
    drop = blank
    if bad:
        any_bad = pl.Series(pl.select(pl.any_horizontal(bad.values())).to_series())
        rejected = pl.concat([rejected, _rejected(cells, block, bad, any_bad, wanted)])
        rejected = rejected.sort(LINE, maintain_order=True)
        drop = any_bad if drop is None else drop | any_bad
    return Chunk(
        file=file,
        frame=frame if drop is None else frame.filter(~drop),
        rejected=rejected,
        blank=block.blank + (0 if blank is None else int(blank.sum())),
        unread_cells=unread,
    )


def _columns(block: Block, fit: Fit, wanted: Sequence[Column]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cells and values, by canonical name."""
    cells, values = [], []
    for column in wanted:
        source = block.frame[fit.columns[column.name]]
        try:
            cell = cell_of(source, column, only_spaces=block.only_spaces)
            values.append(value_of(cell, column).alias(column.name))
        except pl.exceptions.PolarsError as error:
            raise DataQualityError(
                f"column {source.name!r} holds {source.dtype}, which cannot become {column.name} "
                f"({str(error).splitlines()[0]}); write it as a plain {column.type}"
            ) from error
        cells.append(cell.alias(column.name))
    return pl.DataFrame(cells), pl.DataFrame(values)


def _blank(block: Block, fit: Fit, cells: pl.DataFrame) -> pl.Series | None:
    """Which records hold nothing in any column, also none that the schema does not know."""
    if any(cell.null_count() == 0 for cell in cells):
        return None
    empty = cells.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if not empty.any():
        return None
    others = block.frame.drop(set(fit.columns.values()))
    for other in others:
        if not empty.any():
            return None
        empty &= _holds_nothing(other)
    return empty


def _holds_nothing(series: pl.Series) -> pl.Series:
    if series.dtype == pl.String:
        return series.str.strip_chars().str.len_bytes().fill_null(0) == 0
    if series.dtype.is_float():
        return series.is_nan().fill_null(True)
    return series.is_null()


def _unread(
    cells: pl.DataFrame, values: pl.DataFrame, wanted: Sequence[Column]
) -> tuple[dict[str, pl.Series], Mapping[str, int]]:
    """Where cells that hold something cannot be read: by strict column; how many, by lenient one.

    A column without more gaps than its cells has none; that spares the comparison.
    """
    bad: dict[str, pl.Series] = {}
    unread: dict[str, int] = {}
    for column in wanted:
        cell, value = cells[column.name], values[column.name]
        if value.null_count() == cell.null_count():
            continue
        if column.lenient:
            unread[column.name] = value.null_count() - cell.null_count()
        else:
            bad[column.name] = value.is_null() & cell.is_not_null()
    return bad, unread


def _rejected(
    cells: pl.DataFrame,
    block: Block,
    bad: Mapping[str, pl.Series],
    any_bad: pl.Series,
    wanted: Sequence[Column],
) -> pl.DataFrame:
    """The rows with an unreadable cell, each with the first one's reason."""
    types = {column.name: column for column in wanted}
    rows = cells.filter(any_bad).select(as_text(cell) for cell in cells.filter(any_bad))
    first = pl.coalesce(
        pl.when(mask.filter(any_bad)).then(pl.lit(name)) for name, mask in bad.items()
    )
    culprits = rows.select(first.alias(REASON)).to_series().to_list()
    details = [_detail(types[name], rows[name][index]) for index, name in enumerate(culprits)]
    told = pl.DataFrame(
        {
            LINE: block.lines.filter(any_bad),
            REASON: [f"{types[name].type}:{name}" for name in culprits],
            DETAIL: details,
            RAW: pl.Series([None] * rows.height, dtype=pl.String),
        },
        schema=ODD,
    )
    return told.hstack(rows)


def _detail(column: Column, cell: str) -> str:
    if column.privacy is Privacy.PERSONAL:
        return f"{column.name} {WORDS[column.type]}"
    return f"{column.name} {cell[:_SHOWN]!r} {WORDS[column.type]}"


def _unsplit(odd: Sequence[Odd], fit: Fit) -> pl.DataFrame:
    """Records that could not be divided into cells, with their text where nobody is named."""
    may_show = not fit.schema.personal
    told = {
        LINE: [item.line for item in odd],
        REASON: [item.reason for item in odd],
        DETAIL: [item.detail for item in odd],
        RAW: [item.raw if may_show else None for item in odd],
    }
    empty = [pl.lit(None, dtype=pl.String).alias(name) for name in fit.canonical]
    return pl.DataFrame(told, schema=ODD).with_columns(empty)
