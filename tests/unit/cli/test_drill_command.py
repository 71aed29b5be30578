"""``flyball drill``: it asks first, shows what was measured, and exits by how it went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from flyball.drills import Noticed
from flyball.steps.drill import Drill, Leg
from flyball.testing.builders import NOON

OLD, NEW = "1.0.0-0123abcd-89ef4567", "1.1.0-0123abcd-89ef4567"


def leg(version: str, seconds: float | None = 0.21) -> Leg:
    return Leg(version=version, seconds=seconds, confirmed=("host:1", "host:2"), contradicted=())


def a_drill(**fields: Any) -> Drill:
    defaults: dict[str, Any] = {
        "model": "games", "at": NOON, "workers": 2, "there": leg(OLD), "back": leg(NEW, 0.19),
        "requests": 412, "failed": 0, "within_s": 1.0, "shortfalls": (),
    }  # fmt: skip
    return Drill(**(defaults | fields))


@dataclass
class DrillVerbs:
    """Answers what it was given, and remembers what it was asked."""

    drill: Drill = field(default_factory=a_drill)
    noticed: tuple[Noticed, ...] = ()
    asked: list[tuple[str, float]] = field(default_factory=list)

    def rollback(self, model: str, *, within_s: float) -> Drill:
        self.asked.append((model, within_s))
        return self.drill

    def notify(self) -> tuple[Noticed, ...]:
        return self.noticed


@pytest.fixture
def drills(shop, monkeypatch):
    """The verbs of the shop's next command."""
    verbs = DrillVerbs()

    class Home:
        drills = verbs

        def close(self) -> None:
            """Nothing was opened."""

    from cli_shop import CliRunner

    from flyball.cli.app import app

    def call(*arguments: str):
        return CliRunner().invoke(app, ["drill", *arguments], obj=lambda _home: Home())

    verbs.call = call  # type: ignore[attr-defined]
    return verbs


def test_shows_both_switches_and_what_became_of_the_requests(drills):
    ended = drills.call("rollback", "games", "--yes", "--within", "0.5")
    assert ended.exit_code == 0
    assert drills.asked == [("games", 0.5)]
    for word in (OLD, NEW, "0.210 s", "0.190 s", "2 of 2 workers", "0 of 412 requests failed"):
        assert word in ended.stdout


def test_exits_with_1_where_it_fell_short_and_says_in_what(drills):
    drills.drill = a_drill(there=leg(OLD, None), shortfalls=("not every worker served it",))
    ended = drills.call("rollback", "games", "--yes")
    assert ended.exit_code == 1
    assert "not every worker served it" in ended.stdout
    assert "not by all" in ended.stdout


def test_says_that_silence_proves_nothing(drills):
    drills.drill = a_drill(requests=0)
    assert "says nothing about failed requests" in drills.call("rollback", "games", "--yes").stdout


def test_switches_nothing_that_nobody_said_yes_to(drills):
    ended = drills.call("rollback", "games")
    assert (ended.exit_code, drills.asked) == (2, [])
    assert "--yes" in ended.stderr


def test_answers_as_json_too(drills):
    import json

    found = json.loads(drills.call("rollback", "games", "--yes", "--json").stdout)
    assert found["there"]["seconds"] == 0.21
    assert (found["requests"], found["failed"], found["shortfalls"]) == (412, 0, [])


@pytest.mark.parametrize(("problem", "code"), [("", 0), ("it answers 403", 1)])
def test_a_test_notice_says_who_took_it(drills, problem, code):
    drills.noticed = (
        Noticed(notifier="webhook", whom="the webhook at chat.example.org", problem=problem),
    )
    ended = drills.call("notify")
    assert ended.exit_code == code
    assert "chat.example.org" in ended.stdout
    assert (problem or "taken") in ended.stdout
