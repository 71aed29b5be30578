"""Who was forgotten since this process began: read from the ledger, which misses nobody."""

from __future__ import annotations

from flyball.domain.privacy import ERASE
from flyball.ports import Records
from flyball.steps.ledger_rows import rows_after


class Erasures:
    """Follows the ledger. For one thread.

    Args:
        records: whose ledger.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._seen: int | None = None

    def new(self) -> list[tuple[str, str]]:
        """Model and pseudonym of people erased since the last call; of the first call nobody.

        Raises:
            StorageUnavailable, LedgerBroken: it cannot be read; the next call tells of them.
        """
        if self._seen is None:
            last = self._records.ledger(limit=1)
            self._seen = last[-1].seq if last else 0
        rows = rows_after(self._records, self._seen)
        self._seen = rows[-1].seq if rows else self._seen
        erased = [row.entry for row in rows if row.entry.action == ERASE]
        return [(entry.model, entry.subject.removeprefix(f"{entry.model}/")) for entry in erased]
