"""The ledger: append-only and hash-chained: a row's digest covers it and the row before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flyball.domain.canonical import digest
from flyball.domain.evidence import Evidence
from flyball.errors import LedgerBroken

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What somebody did, before it has its place in the chain.

    Attributes:
        at: when, UTC.
        actor: who, for example ``"control"`` or ``"operator:ada"``.
        action: a verb, for example ``"transition"``, ``"ingest"``, ``"route"``.
        subject: the object's id, for example ``"games/1.0.0-0123abcd-89ef4567"``.
        model: the model concerned.
        before, after: the state or value on either side, as text; empty where there is none.
        reason: why, in words.
        evidence: the stored reason, where the action needed one.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    model: str
    reason: str
    before: str = ""
    after: str = ""
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """An entry with its place: ``seq`` counts from 1, ``previous`` is the digest before it."""

    seq: int
    entry: Entry
    previous: str
    digest: str


def chained(entry: Entry, *, seq: int, previous: str) -> LedgerRow:
    """``entry`` as row ``seq`` after the row whose digest is ``previous``."""
    content = {"seq": seq, "entry": entry, "previous": previous}
    return LedgerRow(seq=seq, entry=entry, previous=previous, digest=digest(content))


def verify(rows: Iterable[LedgerRow], *, count: int, head: str) -> int:
    """Check the whole chain against its recorded head; returns how many rows were checked.

    Args:
        rows: all rows by rising ``seq``.
        count, head: how many rows there must be, and the digest of the last (``GENESIS`` for
            none). They are stored apart, so that rows removed at the end show too.

    Raises:
        LedgerBroken: names the first row that was changed, removed or reordered.
    """
    previous, seq = GENESIS, 0
    for row in rows:
        seq += 1
        if row.seq != seq:
            raise LedgerBroken(f"row {seq} is missing: row {row.seq} stands in its place")
        if row.previous != previous:
            raise LedgerBroken(f"row {seq} does not follow row {seq - 1}: a row was reordered")
        if chained(row.entry, seq=seq, previous=previous).digest != row.digest:
            raise LedgerBroken(f"row {seq} was changed after it was written")
        previous = row.digest
    if seq == count and previous != head:
        raise LedgerBroken(
            f"row {seq} is not the last row that was recorded: the rows were written anew"
        )
    if seq != count:
        raise LedgerBroken(
            f"the ledger holds {seq} rows but {count} were recorded: "
            "rows were removed or added at the end"
        )
    return seq
