"""Records and their ledger in a database: the port ``Records``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from flyball.domain.canonical import digest
from flyball.domain.ledger import Entry, LedgerRow
from flyball.domain.nearest import not_found
from flyball.errors import StaleWrite
from flyball.ports import Change, R, Record
from flyball.storage import ledger
from flyball.storage.database import insert_new, reading, writing
from flyball.storage.encoding import decoded, encoded, settled
from flyball.storage.tables import RECORDS

_NEAREST_OF = 10_000
"""Among how many ids, the newest, the nearest to a wrong one are looked for."""


class SqlRecords:
    """Every record of the loop, and the ledger, on one database. Thread-safe.

    A record is replaced by one statement that names the digest of what it replaces, so that two
    writers of one record cannot both succeed. Whoever writes several records or a ledger entry
    holds the ledger's head first: such commits follow one another, and cannot deadlock.

    Args:
        engine: of ``flyball.storage.database.open_database``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, kind: type[R], id: str) -> R:
        """See ``Records.get``."""
        table = RECORDS[kind]
        with reading(self._engine) as connection:
            body = connection.scalar(sa.select(table.c.body).where(table.c.id == id))
            if body is None:
                newest = sa.select(table.c.id).order_by(table.c.seq.desc()).limit(_NEAREST_OF)
                raise not_found(kind, id, list(connection.scalars(newest))[::-1])
        return decoded(kind, body, what=f"{kind.__name__} {id}")

    def find(self, kind: type[R], *, model: str | None = None, limit: int | None = None) -> list[R]:
        """See ``Records.find``."""
        table = RECORDS[kind]
        query = sa.select(table.c.id, table.c.body).order_by(table.c.seq.desc())
        if model is not None:
            query = query.where(table.c.model == model)
        if limit is not None:
            query = query.limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [decoded(kind, row.body, what=f"{kind.__name__} {row.id}") for row in rows[::-1]]

    def commit(self, changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
        """See ``Records.commit``."""
        prepared = [(settled(change.value), change.replacing) for change in changes]
        with writing(self._engine) as connection:
            head = ledger.locked_head(connection) if entries or len(changes) > 1 else None
            changed = [_write(connection, value, old) for value, old in prepared]
            if head is not None and (any(changed) or not changed):
                ledger.append(connection, head, entries)

    def discard(self, kind: type[R], id: str) -> None:
        """See ``Records.discard``."""
        table = RECORDS[kind]
        with writing(self._engine) as connection:
            connection.execute(sa.delete(table).where(table.c.id == id))

    def ledger(self, *, model: str | None = None, limit: int | None = None) -> list[LedgerRow]:
        """See ``Records.ledger``."""
        with reading(self._engine) as connection:
            return ledger.rows(connection, model=model, limit=limit)

    def verify_ledger(self) -> int:
        """See ``Records.verify_ledger``."""
        with reading(self._engine, snapshot=True) as connection:
            return ledger.verify(connection)


def _write(connection: Connection, value: Record, replacing: Record | None) -> bool:
    """Write one record; False where it was there already, with equal content."""
    table = RECORDS[type(value)]
    content = {
        "model": value.model,
        "digest": digest(value),
        "body": encoded(value),
        "written_at": datetime.now(UTC).isoformat(),
    }
    if replacing is not None:
        guard = (table.c.id == value.id) & (table.c.digest == digest(settled(replacing)))
        if connection.execute(sa.update(table).where(guard).values(content)).rowcount == 1:
            return True
        raise _stale(connection, value)
    insert = insert_new(connection, table).values(id=value.id, **content)
    if connection.scalar(insert.returning(table.c.id)) is not None:
        return True
    stored = connection.scalar(sa.select(table.c.digest).where(table.c.id == value.id))
    if stored != content["digest"]:
        raise _stale(connection, value)
    return False


def _stale(connection: Connection, value: Record) -> StaleWrite:
    table, what = RECORDS[type(value)], f"{type(value).__name__} {value.id}"
    there = connection.scalar(sa.select(table.c.written_at).where(table.c.id == value.id))
    if there is None:
        return StaleWrite(f"{what} was removed in the meantime; reload and try again")
    return StaleWrite(f"{what} was changed by another process at {there}; reload it and try again")
