"""What a batch or a dataset looks like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from flyball.cli.views.words import below, coloured, facts, table
from flyball.data.profile import Profiled
from flyball.domain.data import DataBatch
from flyball.domain.schema import Column, Privacy
from flyball.domain.text import many
from flyball.stats.profile import ColumnProfile
from flyball.steps.profile import Correlation, correlations, moment
from flyball.steps.profile_charts import number, strength

STRONG = 0.1
"""Correlations below this are not worth a line."""

_TOP = 3
_WIDEST = 24


def profile(found: Profiled, page: Path | None) -> Iterator[RenderableType]:
    """The rows, the columns, what goes together, and the anomalies.

    Args:
        page: where the page was written.
    """
    whole = found.profile
    yield facts(
        [
            ("table", f"{found.model}: {found.table}"),
            ("of", found.subject),
            ("rows", f"{found.rows:,}"),
            ("left out", _left_out(found)),
            ("unknown", ", ".join(f"{name}: {n:,}" for name, n in whole.unresolved.items() if n)),
            ("no profile", ", ".join(found.unprofiled)),
            ("page", str(page) if page else ""),
        ]
    )
    if whole.columns:
        yield below(_columns(found))
    strong = [c for c in correlations(whole) if c.value is not None and abs(c.value) >= STRONG]
    if strong:
        yield below(_correlations(strong))
    yield below(_anomalies(found.batches))


def _left_out(found: Profiled) -> str:
    whole = found.profile
    counted = [
        (whole.rejected, "broke a rule"),
        (whole.duplicates, "repeated"),
        (whole.forgotten, "of forgotten persons"),
    ]
    return ", ".join(f"{rows:,} {why}" for rows, why in counted if rows)


def _columns(found: Profiled) -> RenderableType:
    made = table("Column", "Type", "Missing", "Distinct", "Values", keep=("Column", "Type"))
    for name, column in found.profile.columns.items():
        declared = found.schema.column(name) if found.schema else None
        missing = f"{column.nulls / found.profile.rows:.1%}" if column.nulls else ""
        distinct = f"{'' if column.distinct_is_exact else '~'}{column.distinct:,}"
        made.add_row(name, column.type.value, missing, distinct, _values(column, declared))
    return made


def _values(column: ColumnProfile, declared: Column | None) -> str:
    unit = f" {declared.unit}" if declared and declared.unit else ""
    if column.numbers is not None:
        spread = [number(value) for value in column.numbers.quantiles((0.0, 1.0, 0.5))]
        return f"{spread[0]} to {spread[1]}{unit}, median {spread[2]}" if spread else ""
    if column.times is not None:
        ends = column.times.numbers.quantiles((0.0, 1.0))
        return " to ".join(f"{moment(end):%Y-%m-%d}" for end in ends)
    if column.values is None:
        return ""
    personal = declared is not None and declared.privacy is Privacy.PERSONAL
    first = list(column.values.counts.items())[:_TOP]
    shown = [(_cut(value, 10 if personal else _WIDEST), rows) for value, rows in first]
    return ", ".join(f"{value} ({rows:,})" for value, rows in shown)


def _cut(text: str, most: int) -> str:
    """The beginning of a text; what would move a terminal's cursor or colour it is replaced."""
    shown = "".join(c if c.isprintable() else "�" for c in text[:most])
    return shown if len(text) <= most else f"{shown[:-1]}…"


def _correlations(strong: Sequence[Correlation]) -> RenderableType:
    made = table("Go together", "", "By", "Strength")
    for first, second, measure, value in strong:
        made.add_row(first, second, measure, strength(value or 0.0))
    return made


def _anomalies(batches: Sequence[DataBatch]) -> RenderableType:
    judged = sum(len(batch.measured) for batch in batches)
    found = [(batch.batch_id, anomaly) for batch in batches for anomaly in batch.anomalies]
    if not found:
        none = f"no anomaly in {many(judged, 'measure')} of {many(len(batches), 'batch')}"
        return Text(none if judged else "not compared with earlier batches", style="dim")
    made = table("Anomaly", "Severity", "Batch", "What was found", keep=("Anomaly", "Severity"))
    for batch_id, anomaly in found:
        made.add_row(anomaly.measure, coloured(anomaly.severity), batch_id, anomaly.detail)
    return made
