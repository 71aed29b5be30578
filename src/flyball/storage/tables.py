"""The tables. What is in a record stands in its ``body``; the other columns are for finding it.

Every name starts with ``flyball_``, so that one PostgreSQL database may also hold MLflow's tables.
A change here needs a migration and a new ``REVISION``.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from flyball.domain.access import ApiKey, Principal, RefreshFamily, SigningKey
from flyball.domain.bundle import ChainTip, SignedBundle
from flyball.domain.data import DataBatch, DatasetVersion, Forgotten
from flyball.domain.deployment import Deployment
from flyball.domain.judging import Standing
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route, WorkerStatus
from flyball.domain.rules import Rules
from flyball.domain.training import Run
from flyball.domain.validation import ValidationReport

REVISION = "0007"
"""The newest migration; a test holds it equal to Alembic's head."""

VERSION_TABLE = "flyball_revision"
"""Where Alembic notes the revision (its usual name would clash with MLflow's)."""

metadata = MetaData()
_Serial = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER counts by itself in SQLite


def _records(name: str) -> Table:
    """A table of records: ``seq`` is the order of first writing, ``digest`` guards replacement."""
    return Table(
        f"flyball_{name}",
        metadata,
        Column("seq", _Serial, primary_key=True, autoincrement=True),
        Column("id", String(300), nullable=False, unique=True),
        Column("model", String(100), nullable=False, index=True),
        Column("digest", String(64), nullable=False),
        Column("body", Text, nullable=False),
        Column("written_at", String(40), nullable=False),
        sqlite_autoincrement=True,
    )


RECORDS: dict[type[object], Table] = {
    DataBatch: _records("batches"),
    DatasetVersion: _records("datasets"),
    Forgotten: _records("forgotten"),
    Run: _records("runs"),
    ModelVersion: _records("versions"),
    ValidationReport: _records("reports"),
    Deployment: _records("deployments"),
    Standing: _records("standings"),
    SignedBundle: _records("bundles"),
    ChainTip: _records("chain_tips"),
    Route: _records("routes"),
    Rules: _records("rules"),
    WorkerStatus: _records("workers"),
    ApiKey: _records("api_keys"),
    Principal: _records("principals"),
    RefreshFamily: _records("refresh_families"),
    SigningKey: _records("signing_keys"),
}
"""The table of each kind of record."""

LEDGER = Table(
    "flyball_ledger",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", String(40), nullable=False, index=True),
    Column("model", String(100), nullable=False, index=True),
    Column("action", String(100), nullable=False, index=True),
    Column("subject", String(300), nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
)

LEDGER_HEAD = Table(
    "flyball_ledger_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("length", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
)

EVENTS = Table(
    "flyball_events",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("event_id", String(128), nullable=False, unique=True),
    Column("model", String(100), nullable=False),
    Column("type", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_flyball_events_model_type", "model", "type"),
    sqlite_autoincrement=True,
)

EVENT_TIMES = Table(
    "flyball_event_times",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # of an event
    Column("at_us", BigInteger, nullable=False),  # all up to it were received by then
)

WINDOWS = Table(
    "flyball_windows",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("worker", String(200), nullable=False),
    Column("start_us", BigInteger, nullable=False),  # since 1970, UTC
    Column("model", String(100), nullable=False),
    Column("version", String(100), nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("worker", "start_us", "model", "version", name="uq_flyball_windows"),
    Index("ix_flyball_windows_model_start", "model", "start_us"),
    sqlite_autoincrement=True,
)
