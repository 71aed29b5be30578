"""The ledger's rows in a database. Its chain is the business of ``flyball.domain.ledger``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flyball.domain import ledger as chain
from flyball.domain.ledger import Entry, LedgerRow
from flyball.errors import ArtifactCorrupt, LedgerBroken
from flyball.storage.encoding import decoded, encoded, settled
from flyball.storage.tables import LEDGER, LEDGER_HEAD

_CHUNK = 1_000
"""Rows held in memory while the chain is verified."""

Head = tuple[int, str]
"""How many rows there are, and the digest of the last."""


def locked_head(connection: Connection) -> Head:
    """The head, held until the transaction ends: nobody else appends meanwhile.

    (SQLite needs no row lock: the whole transaction is the only writer.)

    Raises:
        LedgerBroken: the head was removed.
    """
    return _head(connection, sa.select(LEDGER_HEAD).with_for_update())


def append(connection: Connection, head: Head, entries: Sequence[Entry]) -> None:
    """Write ``entries`` after the locked ``head``, and the new head."""
    if not entries:
        return
    seq, previous = head
    rows = []
    for entry in map(settled, entries):
        row = chain.chained(entry, seq=seq + 1, previous=previous)
        rows.append(
            {
                "seq": row.seq,
                **_indexed(entry),
                "body": encoded(entry),
                "previous": previous,
                "digest": row.digest,
            }
        )
        seq, previous = row.seq, row.digest
    connection.execute(sa.insert(LEDGER), rows)
    connection.execute(sa.update(LEDGER_HEAD).values(length=seq, digest=previous))


def rows(connection: Connection, *, model: str | None, limit: int | None) -> list[LedgerRow]:
    """Rows by rising ``seq``; with ``limit`` the last so many.

    Raises:
        LedgerBroken: a row was changed so that it cannot be read.
    """
    query = sa.select(LEDGER).order_by(LEDGER.c.seq.desc())
    if model is not None:
        query = query.where(LEDGER.c.model == model)
    if limit is not None:
        query = query.limit(limit)
    return [_row(found) for found in connection.execute(query).all()[::-1]]


def verify(connection: Connection) -> int:
    """Check the whole chain, row by row; returns their number.

    The transaction must see one moment, or a row appended meanwhile looks like one too many.

    Raises:
        LedgerBroken: names the first row that was changed, removed or reordered.
    """
    count, digest = _head(connection, sa.select(LEDGER_HEAD))
    query = sa.select(LEDGER).order_by(LEDGER.c.seq).execution_options(yield_per=_CHUNK)
    with connection.execute(query) as found:
        return chain.verify(_true_rows(found), count=count, head=digest)


def _true_rows(found: Iterable[Any]) -> Iterator[LedgerRow]:
    """The rows, each with columns that say what its body says."""
    for columns in found:
        row = _row(columns)
        said = {name: getattr(columns, name) for name in _indexed(row.entry)}
        if said != _indexed(row.entry):
            raise LedgerBroken(f"row {row.seq} was changed after it was written")
        yield row


def _row(columns: Any) -> LedgerRow:
    try:
        entry = decoded(Entry, columns.body, what=f"ledger row {columns.seq}")
    except ArtifactCorrupt as error:
        raise LedgerBroken(f"row {columns.seq} was changed after it was written: {error}") from None
    return LedgerRow(seq=columns.seq, entry=entry, previous=columns.previous, digest=columns.digest)


def _indexed(entry: Entry) -> dict[str, str]:
    """The columns beside the body, for finding rows."""
    return {
        "at": entry.at.isoformat(),
        "model": entry.model,
        "action": entry.action,
        "subject": entry.subject,
    }


def _head(connection: Connection, query: sa.Select[Any]) -> Head:
    found = connection.execute(query).one_or_none()
    if found is None:
        raise LedgerBroken("the ledger's head was removed; restore the database from a backup")
    return found.length, found.digest
