"""The first tables: records, ledger, events, windows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_RECORDS = (
    "batches",
    "datasets",
    "runs",
    "versions",
    "reports",
    "deployments",
    "routes",
    "workers",
)
_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table, and the ledger's head."""
    for name in _RECORDS:
        _records(f"flyball_{name}")
    _ledger()
    _traffic()


def _records(name: str) -> None:
    op.create_table(
        name,
        sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(300), nullable=False, unique=True),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("written_at", sa.String(40), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(f"ix_{name}_model", name, ["model"])


def _ledger() -> None:
    op.create_table(
        "flyball_ledger",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
    )
    for column in ("at", "model", "action", "subject"):
        op.create_index(f"ix_flyball_ledger_{column}", "flyball_ledger", [column])
    head = op.create_table(
        "flyball_ledger_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "length": 0, "digest": "0" * 64}])


def _traffic() -> None:
    op.create_table(
        "flyball_events",
        sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.String(128), nullable=False, unique=True),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_flyball_events_model_type", "flyball_events", ["model", "type"])
    op.create_table(
        "flyball_windows",
        sa.Column("worker", sa.String(200), primary_key=True),
        sa.Column("start_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("model", sa.String(100), primary_key=True),
        sa.Column("version", sa.String(100), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_flyball_windows_model_start", "flyball_windows", ["model", "start_us"])
