"""What is taken in from a source: rows that are staged, and what is said about the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from flyball.domain.data import FORGOTTEN, Finding
from flyball.domain.text import many
from flyball.errors import DataQualityError
from flyball.ports import Reading
from flyball.steps.origin import Origin
from flyball.steps.sieve import Sifted
from flyball.steps.staging import Staging
from flyball.steps.tally import BLANK, Tally


class Intake:
    """What was taken from a source so far."""

    def __init__(
        self, reading: Reading, origin: Origin, folder: Path, forgotten: Mapping[str, datetime]
    ) -> None:
        self.origin = origin
        self.source = origin.shown or reading.source
        self.forgotten = forgotten
        self.schema = reading.schema
        self.tally = Tally()
        self.staging = Staging(folder, reading.schema, reading.columns, self.tally)
        self._ignored = reading.ignored
        self._unread_cells: Counter[str] = Counter()

    def add(self, sifted: Sifted) -> None:
        """The next chunk."""
        chunk = sifted.chunk
        for rows in sifted.aside:
            self.staging.set_aside(rows, chunk.file)
        for rule, count in ((FORGOTTEN, sifted.forgotten), (BLANK, chunk.blank)):
            if count:
                self.tally.count(rule, count)
        self._unread_cells.update(chunk.unread_cells)
        if sifted.frame.height:
            self.staging.keep(sifted.frame, chunk.file)

    def findings(self) -> Iterator[Finding]:
        """What was left out, and what was passed over."""
        yield from self.tally.findings()
        for column, cells in self._unread_cells.items():
            words = f"{many(cells, 'cell')} that could not be read, taken as missing"
            yield Finding(rule=f"unreadable:{column}", count=cells, dropped=False, detail=words)
        if self._ignored:
            names = ", ".join(repr(name[:40]) for name in self._ignored[:12])
            words = f"columns that the schema does not know: {names}"
            count = len(self._ignored)
            yield Finding(rule="ignored_columns", count=count, dropped=False, detail=words)

    def judge(self, most: float) -> None:
        """Refuse a source with too many bad rows, or with no good one.

        Args:
            most: share of its rows that may be bad.

        Raises:
            DataQualityError: names each rule with its count and three examples.
        """
        tally, kept, source = self.tally, self.staging.kept, self.source
        rows = kept + tally.left_out
        if kept and tally.bad <= most * rows:
            return
        reasons = "\n".join(f"  {_told(finding)}" for finding in tally.findings())
        if not tally.bad:
            raise DataQualityError(
                f"there is nothing to ingest in {source}: all its rows belong to people who were "
                f"forgotten, repeat others, or are blank:\n{reasons}"
            )
        bad = f"{tally.bad:,} of {many(rows, 'row')} ({tally.bad / rows:.1%}) cannot be used"
        if tally.bad <= most * rows:
            raise DataQualityError(
                f"{source} was rejected: {bad}, and no other is left to ingest. Fix the source:\n"
                f"{reasons}"
            )
        raise DataQualityError(
            f"{source} was rejected: {bad}; at most {most:.1%} may be left out. Fix the source, or "
            f"raise `max_quarantined` in the model's gates:\n{reasons}"
        )


def _told(finding: Finding) -> str:
    detail = f", {finding.detail}" if finding.detail else ""
    return f"{finding.rule}: {many(finding.count, 'row')}{detail}"
