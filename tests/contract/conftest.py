"""Every storage contract runs on SQLite and on a real PostgreSQL, each test on a fresh database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from flyball.storage.database import open_database

pytest.register_assert_rewrite(
    "flyball.testing.records", "flyball.testing.events", "flyball.testing.notifiers"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'flyball.sqlite'}"
    return request.getfixturevalue("new_postgresql")()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An open database, of each kind in turn."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()
