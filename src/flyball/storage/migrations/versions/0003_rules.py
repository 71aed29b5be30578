"""Business rules, a set a model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TABLE = "flyball_rules"


def upgrade() -> None:
    """Make their table."""
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
