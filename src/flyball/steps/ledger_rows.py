"""The ledger, read on from where somebody stopped."""

from __future__ import annotations

from flyball.domain.ledger import LedgerRow
from flyball.ports import Records


def rows_after(records: Records, seq: int) -> list[LedgerRow]:
    """All rows after a number, none left out; cheap where there is none.

    Raises:
        StorageUnavailable, LedgerBroken: it cannot be read.
    """
    newest = records.ledger(limit=1)
    if not newest or newest[-1].seq <= seq:
        return []
    rows = records.ledger(limit=newest[-1].seq - seq)
    while rows[0].seq > seq + 1:  # more were appended between the two looks
        rows = records.ledger(limit=rows[-1].seq - seq)
    return [row for row in rows if row.seq > seq]
