"""What was left out of a batch, counted by rule, with the first examples of each."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from flyball.domain.data import DUPLICATE, FORGOTTEN, Finding
from flyball.steps.conform import REASONS, examples

BLANK = "blank"
EXAMPLES = 3
NOT_BAD = frozenset({DUPLICATE, FORGOTTEN, BLANK})
"""Rules whose rows are left out although nothing is wrong with the source."""

OF_THE_FORGOTTEN = "of people who asked to be forgotten"
_WITHOUT_EXAMPLES = {
    BLANK: "without any value",
    DUPLICATE: "repeating an earlier row",
    FORGOTTEN: OF_THE_FORGOTTEN,
}
"""What is said of rows of which nothing is kept."""


@dataclass(slots=True)
class _Rule:
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Tally:
    """Counts rows by the first rule that each breaks, so that the counts add up."""

    def __init__(self) -> None:
        self._rules: dict[str, _Rule] = {}

    def rows(self, rows: pl.DataFrame, file: str) -> None:
        """Count rows in the quarantine's layout, all from one file."""
        first = rows[REASONS].list.first()
        for rule, count in first.value_counts(sort=True).iter_rows():
            kept = self.count(rule, count)
            if len(kept.examples) < EXAMPLES:
                where = f"{file} " if file else ""
                shown = examples(rows.filter(first == rule), EXAMPLES - len(kept.examples))
                kept.examples += [f"{where}{words}" for words in shown]

    def count(self, rule: str, count: int) -> _Rule:
        """Count rows of which nothing is kept."""
        kept = self._rules.setdefault(rule, _Rule())
        kept.count += count
        return kept

    def of(self, rule: str) -> int:
        """How many rows a rule left out."""
        return self._rules[rule].count if rule in self._rules else 0

    @property
    def bad(self) -> int:
        """How many rows were left out as bad."""
        return sum(r.count for name, r in self._rules.items() if name not in NOT_BAD)

    @property
    def left_out(self) -> int:
        """How many rows were left out, blank records apart."""
        return sum(rule.count for name, rule in self._rules.items() if name != BLANK)

    def findings(self) -> tuple[Finding, ...]:
        """One finding for each rule, the first met first."""
        return tuple(
            Finding(rule=name, count=rule.count, dropped=True, detail=_words(name, rule))
            for name, rule in self._rules.items()
            if rule.count
        )


def _words(name: str, rule: _Rule) -> str:
    """Not the count: whoever shows a finding shows that beside it."""
    if rule.examples:
        return f"for example: {'; '.join(rule.examples)}"
    return _WITHOUT_EXAMPLES.get(name, "")
