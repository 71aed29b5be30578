"""``flyball ab``: what a person types, and what they read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from flyball.cli.app import app
from flyball.domain.ab_test import AbLook, AbTest, Metric, Per, Spending
from flyball.domain.ledger import GENESIS, Entry, LedgerRow, chained
from flyball.errors import DeploymentError
from flyball.stats.experiments.group_sequential import Estimate
from flyball.stats.experiments.verdicts import Answer, Finding
from flyball.steps.ab_test import Wanted
from flyball.steps.ab_words import AbStatus
from flyball.testing.builders import NOON, an_entry

TEST = AbTest(
    model="games", number=2, deployment="games/7", a="1.0.0-0123abcd-89ef4567",
    b="1.1.0-0123abcd-89ef4567", share=0.25, salt="games/7", metric=Metric.CLICKS, per=Per.ITEM,
    minimal_effect=0.01, alpha=0.05, spending=Spending.OBRIEN_FLEMING, looks=(0.5, 1.0),
    began_at=NOON, horizon_s=86_400.0, known_before=NOON, by="operator:ada",
)  # fmt: skip
LOOK = AbLook(
    test=TEST.id, number=1, at=TEST.due_at(1), users_a=3_000, users_b=1_000, a=0.11, b=0.15,
    difference=0.04, error=0.01, reduction=0.33, happened=400,
)  # fmt: skip
BETTER = AbStatus(
    test=TEST,
    digest=TEST.digest,
    looks=(LOOK,),
    finding=Finding(
        answer=Answer.B_BETTER,
        look=1,
        fraction=0.5,
        estimate=Estimate(value=0.04, low=0.01, high=0.07, p_value=0.001),
        bounds=(2.96,),
        smaller=False,
    ),
    answer=Answer.B_BETTER,
    reason="clicks per item: B - A = +0.04",
    next_look_at=None,
)
RUNNING = replace(
    BETTER, looks=(), finding=None, answer=Answer.NOT_YET, next_look_at=TEST.due_at(1)
)


class Verbs:
    """``Flyball.ab`` whose verbs answer what a test says, and remember what they were asked."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked, self.ab = answer, [], self

    def _told(self, *asked: Any) -> Any:
        self.asked.append(asked)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def start(self, model: str, wanted: Wanted) -> Any:
        return self._told("start", model, wanted)

    def status(self, model: str, number: int | None) -> Any:
        return self._told("status", model, number)

    def stop(self, model: str, *, reason: str) -> Any:
        return self._told("stop", model, reason)

    def list(self, model: str) -> Any:
        return self._told("list", model)

    def close(self) -> None:
        """Nothing was opened."""


def typed(answer: Any, *arguments: str) -> tuple[Any, Verbs]:
    verbs = Verbs(answer)
    environment = {"COLUMNS": "160", "FLYBALL_HOME": None}
    return CliRunner().invoke(app, arguments, obj=lambda _: verbs, env=environment), verbs


def test_start_asks_for_what_is_typed_and_tells_what_was_registered():
    ended, verbs = typed(
        RUNNING, "ab", "start", "games", "--metric", "value", "--per", "user", "--effect", "0.5",
        "--absolute", "--horizon", "36h", "--looks", "0.25,1", "--alpha", "0.1", "--spending",
        "pocock",
    )  # fmt: skip
    assert ended.exit_code == 0
    assert verbs.asked == [
        (
            "start",
            "games",
            Wanted(
                metric=Metric.VALUE,
                per=Per.USER,
                effect=0.5,
                relative=False,
                horizon=timedelta(hours=36),
                looks=(0.25, 1.0),
                alpha=0.1,
                spending=Spending.POCOCK,
            ),
        )
    ]
    for told in ("games/ab2 is registered", TEST.digest[:16], "25% of users", "operator:ada"):
        assert told in ended.stdout


def test_start_by_itself_takes_the_documented_defaults():
    _, verbs = typed(RUNNING, "ab", "start", "games")
    assert verbs.asked == [("start", "games", Wanted())]


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [("--looks", "half", "0.5,1"), ("--horizon", "soon", "24h"), ("--metric", "fame", "metric")],
)
def test_start_refuses_what_it_cannot_read(option, value, told):
    ended, verbs = typed(RUNNING, "ab", "start", "games", option, value)
    assert ended.exit_code == 2
    assert told in ended.stderr
    assert verbs.asked == []


def test_status_tells_the_answer_its_numbers_and_what_may_be_decided():
    ended, verbs = typed(BETTER, "ab", "status", "games", "2")
    assert verbs.asked == [("status", "games", 2)]
    for told in (
        "games/ab2: B is better", "B - A = +0.04", "3,000", "-33%", "2.96 errors",
        f"flyball promote games {TEST.b}", f"flyball abort games {TEST.b}",
    ):  # fmt: skip
        assert told in ended.stdout


def test_status_tells_when_the_next_look_is_due():
    ended, _ = typed(RUNNING, "ab", "status", "games")
    assert "games/ab2: not yet" in ended.stdout
    assert "next look: 2026-03-02 00:00 UTC" in ended.stdout
    assert "promote" not in ended.stdout


def test_status_says_which_looks_were_not_judged():
    unsure = replace(LOOK, number=2, too_little="7 and 3 users", error=0.0)
    ended, _ = typed(replace(BETTER, looks=(unsure, LOOK)), "ab", "status", "games")
    assert "1 look not judged" in ended.stdout


def test_every_answer_comes_as_json():
    ended, _ = typed(BETTER, "ab", "status", "games", "--json")
    told = json.loads(ended.stdout)
    assert told["answer"] == "B is better"
    assert told["finding"]["estimate"]["low"] == 0.01
    assert told["test"]["looks"] == [0.5, 1.0]


def test_stop_gives_the_reason():
    ended, verbs = typed(BETTER, "ab", "stop", "games", "--reason", "the sale began")
    assert verbs.asked == [("stop", "games", "the sale began")]
    assert ended.exit_code == 0


def test_list_has_a_line_for_each_test():
    ended, _ = typed([BETTER, RUNNING], "ab", "list", "games")
    assert ended.stdout.count("games/ab2") == 2
    assert "1 of 2" in ended.stdout
    assert "flyball ab start games" in typed([], "ab", "list", "games")[0].stdout


def test_a_refusal_is_told_in_one_line():
    refused = DeploymentError("games has no rollout with a share of the traffic")
    ended, _ = typed(refused, "ab", "start", "games")
    assert ended.exit_code == 1
    assert "no rollout with a share" in ended.stderr


def test_the_ledger_shows_a_registration_in_words_and_not_as_a_document():
    entry = an_entry(action="ab start", subject=TEST.id, after='{"alpha":0.05}', reason="A/B test")
    shown = CliRunner().invoke(
        app, ["ledger", "--model", "games"], obj=lambda _: LedgerOnly(entry), env={"COLUMNS": "160"}
    )
    assert "A/B test" in shown.stdout
    assert "alpha" not in shown.stdout


class LedgerOnly:
    """Verbs that know one row of the ledger."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def ledger(self, model: str | None = None, *, limit: int | None = None) -> list[LedgerRow]:
        return [chained(self._entry, seq=1, previous=GENESIS)]

    def close(self) -> None:
        """Nothing was opened."""
