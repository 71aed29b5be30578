"""One chunk of a source at a time: which rows stay, and which are set aside. No effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from flyball.domain.schema import ColumnType
from flyball.ports import Chunk, Reading
from flyball.steps.conform import conform, unread
from flyball.steps.forget import kept
from flyball.steps.pseudonymise import Pseudonymiser


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """A chunk, sorted out.

    Attributes:
        chunk: what it was.
        frame: the rows that stay, with ``LINE``.
        aside: rows in the quarantine's layout: those that could not be read, and those that break
            a rule.
        forgotten: how many rows of forgotten people were left out.
    """

    chunk: Chunk
    frame: pl.DataFrame
    aside: tuple[pl.DataFrame, pl.DataFrame]
    forgotten: int


class Sieve:
    """Sorts out the chunks of one source, in their order; one thread at a time.

    Pseudonyms come first, so that no raw id is kept in the home or told in a message.

    Args:
        reading: where the chunks come from.
        hide: puts pseudonyms in the place of names.
        forgotten: when people asked to be forgotten, by pseudonym.
    """

    def __init__(
        self, reading: Reading, hide: Pseudonymiser, forgotten: Mapping[str, datetime]
    ) -> None:
        self._schema = reading.schema
        self._hide = hide
        self._stay, self._stay_aside = _remembered(reading, forgotten)

    def __call__(self, chunk: Chunk) -> Sifted:
        """Sort out the next chunk."""
        frame, broken = conform(self._hide.apply(chunk.frame), self._schema)
        unreadable = unread(self._hide.apply(chunk.rejected))
        staying = frame.filter(self._stay)
        aside = (unreadable.filter(self._stay_aside), broken.filter(self._stay_aside))
        return Sifted(
            chunk=chunk,
            frame=staying,
            aside=aside,
            forgotten=sum(rows.height for rows in (frame, unreadable, broken))
            - sum(rows.height for rows in (staying, *aside)),
        )


def _remembered(reading: Reading, forgotten: Mapping[str, datetime]) -> tuple[pl.Expr, pl.Expr]:
    """Where a row belongs to nobody who asked to be forgotten: a good row, and a bad one.

    The time of a bad row may be what is wrong with it: so it counts as undated.
    """
    personal = [name for name in reading.schema.personal if name in reading.columns]
    if not forgotten or not personal:
        return pl.lit(True), pl.lit(True)
    times = [c.name for c in reading.schema.columns if c.type is ColumnType.TIMESTAMP]
    dated = next((name for name in times if name in reading.columns), None)
    return kept(forgotten, personal, dated), kept(forgotten, personal, None)
