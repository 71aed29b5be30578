"""Rollouts by steps: how each stands, what routes and deployments say more, windows in order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from flyball.domain.canonical import digest

revision = "0006"
down_revision = "0005"

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TABLE = "flyball_standings"
_MORE: Mapping[str, Mapping[str, Any]] = {
    "flyball_routes": {"slow_above_s": None, "rehearsal_ends": None},
    "flyball_deployments": {
        "steps": [1.0],
        "shifts": [],
        "held": "",
        "approved_by": "",
        "promoted_by": "",
        "slow_above_s": 0.0,
    },
}
"""New fields by table. A record is replaced only while its digest is that of what was read, and
that now has these fields: without this nobody could change the records that are there."""


def upgrade() -> None:
    """Make the table, and add the fields."""
    op.create_table(
        _TABLE,
        sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(300), nullable=False, unique=True),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("written_at", sa.String(40), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(f"ix_{_TABLE}_model", _TABLE, ["model"])
    for name, fields in _MORE.items():
        _extend(name, fields)
    _number_windows()


def _number_windows() -> None:
    """Give windows the order in which they were stored, for who follows them."""
    key = ("worker", "start_us", "model", "version")
    op.drop_index("ix_flyball_windows_model_start", "flyball_windows")
    op.rename_table("flyball_windows", "flyball_windows_before")
    op.create_table(
        "flyball_windows",
        sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("worker", sa.String(200), nullable=False),
        sa.Column("start_us", sa.BigInteger, nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint(*key, name="uq_flyball_windows"),
        sqlite_autoincrement=True,
    )
    columns = ", ".join((*key, "body"))
    op.execute(
        f"INSERT INTO flyball_windows ({columns}) "  # noqa: S608 - constants
        f"SELECT {columns} FROM flyball_windows_before ORDER BY start_us"
    )
    op.drop_table("flyball_windows_before")
    op.create_index("ix_flyball_windows_model_start", "flyball_windows", ["model", "start_us"])


def _extend(name: str, fields: Mapping[str, Any]) -> None:
    table = sa.table(name, *(sa.column(column) for column in ("seq", "body", "digest")))
    connection = op.get_bind()
    for seq, body in connection.execute(sa.select(table.c.seq, table.c.body)).all():
        record = json.loads(body) | dict(fields)
        text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
        new = sa.update(table).where(table.c.seq == seq)
        connection.execute(new.values(body=text, digest=digest(record)))
