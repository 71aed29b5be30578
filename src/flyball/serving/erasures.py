"""Who was forgotten since this process began: read from the ledger, which misses nobody."""

from __future__ import annotations

from flyball.domain.privacy import ERASE
from flyball.ports import Records


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
        last = self._records.ledger(limit=1)
        newest = last[-1].seq if last else 0
        if self._seen is None:
            self._seen = newest
        if newest <= self._seen:
            return []
        rows = self._records.ledger(limit=newest - self._seen)
        while rows[0].seq > self._seen + 1:  # more rows came in between
            rows = self._records.ledger(limit=rows[-1].seq - self._seen)
        self._seen = rows[-1].seq
        erased = [row.entry for row in rows if row.entry.action == ERASE]
        return [(entry.model, entry.subject.removeprefix(f"{entry.model}/")) for entry in erased]
