"""One table for every benchmark: what was asked for beside what was measured."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number.

    Attributes:
        what: what was measured.
        values: one by round; the median is judged.
        limit: the most it may be, in ``unit``.
        unit: for example ``"s"`` or ``"MiB"``.
    """

    what: str
    values: Sequence[float]
    limit: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether the median is within the limit."""
        return statistics.median(self.values) <= self.limit


def judged(title: str, lines: Sequence[Line]) -> int:
    """Print the table; returns the exit code, 1 where a line does not hold."""
    table = Table(title=title)
    for name in ("number", "asked", "median", "min to max", "rounds", "holds"):
        table.add_column(name, justify="left" if name == "number" else "right")
    for line in lines:
        table.add_row(
            line.what,
            f"<= {line.limit:g} {line.unit}",
            f"{statistics.median(line.values):.3g} {line.unit}",
            f"{min(line.values):.3g} to {max(line.values):.3g}",
            str(len(line.values)),
            "yes" if line.holds else "NO",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 0 if all(line.holds for line in lines) else 1
