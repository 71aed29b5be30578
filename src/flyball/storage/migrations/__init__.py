"""Alembic's scripts: one file a revision, run by ``flyball.storage.schema``."""
