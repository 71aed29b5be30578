"""Whether values are found in the table that they refer to. No effects."""

from __future__ import annotations

import polars as pl

from flyball.domain.schema import Reference
from flyball.domain.text import slug

EXAMPLES = 3


def unresolved(
    values: pl.DataFrame, reference: Reference, table: pl.Series
) -> tuple[int, int, tuple[str, ...]]:
    """What of a column is not in the table it refers to.

    Args:
        values: its distinct values and how many rows have each: columns ``value`` and ``rows``.
            Missing values refer to nothing, and are passed over.
        reference: how they are compared.
        table: the values of the column referred to.

    Returns:
        the number of rows, the number of distinct values, and the commonest of these.
    """
    named = values.drop_nulls("value").with_columns(pl.col("value").cast(pl.String))
    known = table.drop_nulls().cast(pl.String).unique()
    if reference.by_slug:
        keys = _slugs(named["value"])
        found = keys.is_in(_slugs(known).unique().implode())
    else:
        found = named["value"].is_in(known.implode())
    missing = named.filter(~found).sort(["rows", "value"], descending=[True, False])
    examples = tuple(missing["value"].head(EXAMPLES).to_list())
    return int(missing["rows"].sum()), missing.height, examples


def _slugs(texts: pl.Series) -> pl.Series:
    """The slug of each; the text itself where no letter is left of it."""
    return pl.Series([slug(text) or text for text in texts.to_list()], dtype=pl.String)
