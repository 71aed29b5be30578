"""A worker follows the recorded rules of its models."""

from __future__ import annotations

import pytest

from flyball.domain.rules import Rules
from flyball.errors import ConfigurationError
from flyball.ports import Change
from flyball.serving.rulebook import Rulebook
from flyball.testing.builders import NOON
from flyball.testing.fakes import MemoryRecords


class Reader:
    """An application that understands whole numbers alone."""

    def read_rules(self, document):
        if not isinstance(document.get("least", 0), int):
            raise ConfigurationError("least must be a whole number")
        return document.get("least", 0)


class World:
    def __init__(self):
        self.records = MemoryRecords()
        self.rulebook = Rulebook({"games": Reader()})

    def recorded(self, document, model="games"):
        found = [rules for rules in self.records.find(Rules) if rules.model == model]
        after = Rules(
            model=model,
            revision=found[0].revision + 1 if found else 1,
            document=document,
            set_at=NOON,
            set_by="operator:ada",
        )
        self.records.commit([Change(value=after, replacing=found[0] if found else None)])
        self.rulebook.follow(self.records)
        return self.rulebook.of("games")


@pytest.fixture
def world():
    return World()


def test_no_rules_are_in_force_before_any_is_recorded(world):
    assert world.rulebook.of("games") == 0


def test_recorded_rules_come_into_force_and_go_again(world):
    assert world.recorded({"least": 3}) == 3
    assert world.recorded({}) == 0


def test_rules_that_cannot_be_read_leave_those_before_in_force(world):
    world.recorded({"least": 3})
    assert world.recorded({"least": "many"}) == 3
    assert world.recorded({"least": 4}) == 4


def test_rules_of_a_model_that_is_not_served_are_passed_over(world):
    assert world.recorded({"least": 3}, model="prices") == 0
