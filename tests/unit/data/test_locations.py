"""What people call a source, as any process of this machine can read it."""

from __future__ import annotations

import io

import pytest

from flyball.data.locations import Locations
from flyball.data.schema import Schemas
from flyball.steps.origin import INCOMING
from flyball.storage.sources import FileSources


class Home:
    """As much of a platform as a location needs."""

    def __init__(self, root):
        self.home = root
        self.sources = FileSources(root)

    def scratch(self):
        return self.home


@pytest.fixture
def where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Locations(Home(tmp_path), "ada")


def test_a_database_beside_me_is_found_and_its_query_stays_as_it_is(where, tmp_path):
    select = "SELECT a FROM t WHERE url = 'http://x//y/./z/'"
    [found] = where.of("games", [f"sqlite:///shop.db#{select}"])
    assert found == f"sqlite:///{tmp_path / 'shop.db'}#{select}"


def test_standard_input_waits_in_the_home_or_where_it_is_told_to(where, tmp_path):
    mine = tmp_path / "mine"
    [kept] = where.of("games", ["-"], stdin=io.BytesIO(b"a"))
    [told] = where.of("games", ["-"], stdin=io.BytesIO(b"a"), incoming=mine)
    assert kept.startswith(f"{tmp_path / INCOMING}/stdin-")
    assert told.startswith(f"{mine}/stdin-")


def test_standard_input_that_is_only_looked_at_is_kept_nowhere(tmp_path):
    """It may name people."""
    home = Home(tmp_path)
    found = Schemas(home, "ada").infer(["-"], stdin=io.BytesIO(b"user,hours\nada,1\nbob,2\n"))
    assert [column.name for column in found.schema.columns] == ["user", "hours"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
