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
        limit: the most it may be, in ``unit``; None: there is no such limit.
        unit: for example ``"s"`` or ``"MiB"``.
        least: the least it may be; None: there is no such limit.
    """

    what: str
    values: Sequence[float]
    limit: float | None = None
    unit: str
    least: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the median is within the limits; without one, whatever it is."""
        found = statistics.median(self.values)
        enough = self.least is None or found >= self.least
        return enough and (self.limit is None or found <= self.limit)

    @property
    def asked(self) -> str:
        """The limits, as a person reads them."""
        bounds = (("<=", self.limit), (">=", self.least))
        return ", ".join(
            f"{sign} {b:g} {self.unit}".rstrip() for sign, b in bounds if b is not None
        )


def judged(title: str, lines: Sequence[Line]) -> int:
    """Print the table; returns the exit code, 1 where a line does not hold."""
    table = Table(title=title)
    for name in ("number", "asked", "median", "min to max", "rounds", "holds"):
        table.add_column(name, justify="left" if name == "number" else "right")
    for line in lines:
        table.add_row(
            line.what,
            line.asked,
            f"{statistics.median(line.values):.3g} {line.unit}".rstrip(),
            f"{min(line.values):.3g} to {max(line.values):.3g}",
            str(len(line.values)),
            ("yes" if line.holds else "NO") if line.asked else "",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 0 if all(line.holds for line in lines) else 1
