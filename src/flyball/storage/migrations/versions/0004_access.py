"""Who may do what: keys, principals, refresh tokens, signing keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TABLES = (
    "flyball_api_keys",
    "flyball_principals",
    "flyball_refresh_families",
    "flyball_signing_keys",
)


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
