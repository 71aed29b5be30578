"""What a batch looks like, in numbers: kept with it, and compared with later ones. No effects."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
_TOP = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def profile(frame: pl.DataFrame) -> dict[str, Any]:
    """A frame's shape: JSON types only, every number finite.

    Returns:
        ``{"rows": n, "columns": {name: {...}}}``. Each column has ``nulls`` and ``distinct``;
        numbers and times also ``min``, ``max``, ``mean``, ``quantiles`` (by share, linear
        interpolation) and ``histogram`` (``edges``, 21 of them, and ``counts``, 20); text has
        ``top``: the 10 most frequent values with their counts. Times are ISO 8601, UTC. What has
        no finite value is absent.
    """
    columns = {name: _column(frame[name]) for name in frame.columns}
    return {"rows": frame.height, "columns": columns}


def _column(series: pl.Series) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "nulls": series.null_count(),
        "distinct": series.drop_nulls().n_unique(),
    }
    if series.dtype == pl.String:
        return facts | {"top": _top(series)}
    if series.dtype.is_temporal():
        seconds = series.dt.epoch("us").drop_nulls().to_numpy() / 1e6
        return facts | {name: _times(value) for name, value in _spread(seconds).items()}
    return facts | _spread(series.cast(pl.Float64).drop_nulls().to_numpy())


def _top(series: pl.Series) -> list[dict[str, Any]]:
    counts = series.drop_nulls().value_counts()
    ordered = counts.sort(["count", series.name], descending=[True, False]).head(_TOP)
    return [{"value": value, "count": count} for value, count in ordered.iter_rows()]


def _spread(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    values = values[np.isfinite(values)]
    if not values.size:
        return {}
    low, high = float(values.min()), float(values.max())
    # Halved before they are added, so that the largest floats do not overflow.
    mean = float((values / values.size).sum())
    facts: dict[str, Any] = {"min": low, "max": high, "mean": min(max(mean, low), high)}
    if not math.isfinite(high - low):
        return facts
    quantiles = np.quantile(values, QUANTILES)
    facts["quantiles"] = {
        str(share): float(value) for share, value in zip(QUANTILES, quantiles, strict=True)
    }
    edges = np.linspace(low, high, BINS + 1)
    counts, _ = np.histogram(values, edges) if low < high else (_all_in_first(values.size), None)
    facts["histogram"] = {"edges": edges.tolist(), "counts": counts.tolist()}
    return facts


def _all_in_first(size: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    counts = np.zeros(BINS, dtype=np.int64)
    counts[0] = size
    return counts


def _times(value: Any) -> Any:
    """Seconds since 1970 as ISO 8601, wherever they stand."""
    if isinstance(value, float):
        return (_EPOCH + timedelta(seconds=value)).isoformat()
    if isinstance(value, dict):
        return {name: item if name == "counts" else _times(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_times(item) for item in value]
    return value
