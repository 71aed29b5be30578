"""Pseudonyms in the place of names, for whole columns at once. No effects."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from flyball.domain.privacy import Pseudonyms
from flyball.errors import ConfigurationError

REMEMBERED = 1 << 18
"""Values whose pseudonym is kept from one chunk to the next (about 30 MB)."""

_HASH, _VALUE, _PSEUDONYM, _PLACE = "hash", "value", "pseudonym", "place"


class Pseudonymiser:
    """Replaces the values of some columns, the same value always by the same pseudonym.

    Each distinct value is hashed once, as long as no more than ``remembered`` come by; beyond that
    the oldest are hashed anew. Not for several threads at once.

    Args:
        pseudonyms: what gives them.
        columns: names; those that a frame does not have are passed over.
        remembered: how many values.
        spared: a pattern; values that it matches stay (they are pseudonyms). Empty: none do.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        columns: Iterable[str],
        *,
        remembered: int = REMEMBERED,
        spared: str = "",
    ) -> None:
        self._of = pseudonyms.of
        self._spared = spared
        self._columns = tuple(columns)
        self._room = remembered
        self._known = self._named(pl.Series(_VALUE, [], dtype=pl.String))
        self._places = self._placed()

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with pseudonyms in the columns; missing values stay missing.

        Raises:
            ConfigurationError: a personal column does not hold text.
        """
        found = [name for name in self._columns if name in frame.columns]
        if not found or not frame.height:
            return frame
        return frame.with_columns(self._hidden(frame[name]) for name in found)

    def _hidden(self, values: pl.Series) -> pl.Series:
        replaced = self._replaced(values)
        if not self._spared or values.dtype != pl.String:
            return replaced
        return replaced.zip_with(~values.str.contains(self._spared).fill_null(False), values)

    def _replaced(self, values: pl.Series) -> pl.Series:
        if values.dtype == pl.Null:
            return values
        if values.dtype != pl.String:
            raise ConfigurationError(
                f"the personal column {values.name!r} holds {values.dtype}; a pseudonym can only "
                "stand in for text: declare the column as a string"
            )
        remembered = self._remembered(values)
        unknown = values.filter(remembered.is_null() & values.is_not_null()).unique()
        if not len(unknown):
            return remembered.alias(values.name)
        new = self._named(unknown)
        found = values.alias(_VALUE).to_frame().join(
            new, on=_VALUE, how="left", maintain_order="left"
        )  # fmt: skip
        self._remember(new)
        return remembered.fill_null(found[_PSEUDONYM]).alias(values.name)

    def _remembered(self, values: pl.Series) -> pl.Series:
        """Their pseudonyms, null where they are not known.

        Numbers are looked up faster than texts, so a value is found by its hash, and compared.
        """
        hashes = self.hashes(values).alias(_HASH).to_frame()
        at = hashes.join(self._places, on=_HASH, how="left", maintain_order="left")[_PLACE]
        same = self._known[_VALUE].gather(at) == values
        found = pl.DataFrame([self._known[_PSEUDONYM].gather(at), same.alias("same")])
        return found.select(pl.when("same").then(_PSEUDONYM)).to_series()

    def _remember(self, new: pl.DataFrame) -> None:
        """Keep the new ones, and of the old ones as many as there is room for."""
        room = max(self._room - new.height, 0)
        self._known = pl.concat([self._known.tail(room), new.tail(self._room)], rechunk=True)
        self._places = self._placed()

    def _placed(self) -> pl.DataFrame:
        """Where each known value stands, by its hash; of two with one hash one of them."""
        hashes = self.hashes(self._known[_VALUE]).alias(_HASH)
        return hashes.to_frame().with_row_index(_PLACE).unique(_HASH, keep="any")

    def hashes(self, values: pl.Series) -> pl.Series:
        """A number for each value, by which it is looked up; no secret."""
        return values.hash()

    def _named(self, values: pl.Series) -> pl.DataFrame:
        made = pl.Series(_PSEUDONYM, map(self._of, values.to_list()), dtype=pl.String)
        return pl.DataFrame([values.alias(_VALUE), made])
