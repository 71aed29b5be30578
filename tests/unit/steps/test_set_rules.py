"""Business rules are recorded, in the ledger too, or refused."""

from __future__ import annotations

import pytest

from flyball.errors import ConfigurationError
from flyball.games.application import GamesApplication
from flyball.steps.set_rules import rules_of, set_rules
from flyball.testing.builders import NOON
from flyball.testing.fakes import ManualClock, MemoryRecords


class World:
    def __init__(self):
        self.records = MemoryRecords()

    def set(self, document, actor="operator:ada"):
        return set_rules(
            "games",
            document,
            application=GamesApplication(),
            records=self.records,
            clock=ManualClock(NOON),
            actor=actor,
        )


@pytest.fixture
def world():
    return World()


def test_there_are_none_before_any_is_set(world):
    assert rules_of(world.records, "games") is None


def test_what_is_set_is_recorded_with_who_and_when(world):
    world.set({"hidden": ["doom"]})
    found = rules_of(world.records, "games")
    assert (found.revision, found.document, found.set_by) == (
        1,
        {"hidden": ["doom"]},
        "operator:ada",
    )
    assert found.set_at == NOON


def test_each_change_is_a_row_of_the_ledger(world):
    world.set({"hidden": ["doom"]})
    world.set({})
    entries = [row.entry for row in world.records.ledger(model="games")]
    assert [(e.action, e.before, e.after) for e in entries] == [
        ("rules", "", "1"),
        ("rules", "1", "2"),
    ]
    assert "hidden: 1" in entries[0].reason


def test_the_same_again_changes_nothing(world):
    first = world.set({"hidden": ["doom"]})
    assert world.set({"hidden": ["doom"]}, actor="operator:bob") == first
    assert len(world.records.ledger()) == 1


def test_rules_that_cannot_be_read_are_refused_and_those_before_stay(world):
    world.set({"hidden": ["doom"]})
    with pytest.raises(ConfigurationError, match="hiden"):
        world.set({"hiden": ["quake"]})
    assert rules_of(world.records, "games").document == {"hidden": ["doom"]}
