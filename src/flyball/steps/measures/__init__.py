"""Measures of a batch against earlier ones, read off profiles: their cost does not grow with rows.

Each gives ``Evidence``; ``flyball.steps.anomalies`` judges all of a batch together. No effects.
"""

from __future__ import annotations

from collections.abc import Iterator

from flyball.steps.measures.columns import columns
from flyball.steps.measures.delivery import nulls, whole
from flyball.steps.measures.evidence import NEVER, Comparison, Evidence
from flyball.steps.measures.pairs import pairs

__all__ = ["NEVER", "Comparison", "Evidence", "every"]


def every(comparison: Comparison) -> Iterator[Evidence]:
    """All measures that a batch has."""
    yield from whole(comparison)
    yield from nulls(comparison)
    yield from columns(comparison)
    yield from pairs(comparison)
