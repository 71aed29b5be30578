"""Signed bundles of evidence, and the tips of their chains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TABLES = ("flyball_bundles", "flyball_chain_tips")


def upgrade() -> None:
    """Make their tables."""
    for table in _TABLES:
        op.create_table(
            table,
            sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
            sa.Column("id", sa.String(300), nullable=False, unique=True),
            sa.Column("model", sa.String(100), nullable=False),
            sa.Column("digest", sa.String(64), nullable=False),
            sa.Column("body", sa.Text, nullable=False),
            sa.Column("written_at", sa.String(40), nullable=False),
            sqlite_autoincrement=True,
        )
        op.create_index(f"ix_{table}_model", table, ["model"])
