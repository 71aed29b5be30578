"""``flyball plan``: tables for people, everything as JSON."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.cli.views.plans import duration
from flyball.stats.sequential.crowd import Crowd
from flyball.stats.sequential.outlook import Harm, StepOutlook
from flyball.steps.habits import Habits
from flyball.steps.plan import Plan
from flyball.testing.builders import NOON

SOON = Harm(what="errors", size="20x", found=1.0, passed=0.0, seconds=12.4, requests=6.2)
TOLERATED = Harm(what="clicks", size="-10%", found=0.1, passed=0.9, seconds=None, requests=None)
STEP = StepOutlook(
    share=0.05, requests_per_second=0.5,
    finds={"errors": 4.2, "latency": 1.6, "clicks": 0.31, "purchases": None},
    harms=(SOON, TOLERATED), healthy=0.99, healthy_s=400.0, within_deadline=True,
)  # fmt: skip


def found(**fields: object) -> Plan:
    known = Habits(
        since=NOON, until=NOON + timedelta(hours=1), requests=36_000, errors=72,
        asking=Crowd(fresh=10.0), lists=30_000, events=900,
    )  # fmt: skip
    told = {
        "model": "games", "habits": known, "requests_per_second": 10.0, "users_per_second": 9.5,
        "false_alarm": 0.01, "deadline_s": 21_600.0, "steps": (STEP,), "advice": (),
    }  # fmt: skip
    return Plan(**(told | fields))  # type: ignore[arg-type]


def test_shows_what_each_step_finds_and_how_soon(shop):
    shop.answers["plan"] = found()
    out = shop("plan", "games").out
    for word in (
        "10 requests/s",
        "36,000",
        "5%",
        "4.2x",
        "-31%",
        "nothing",
        "12 s (100%)",
        "6.7 min",
    ):
        assert word in out
    assert "passes (10% found)" in out


def test_says_what_to_do_where_there_is_no_traffic(shop):
    nobody = Habits(since=NOON, until=NOON)
    shop.answers["plan"] = found(
        habits=nobody, requests_per_second=0.0, steps=(), advice=("send some traffic",)
    )
    ended = shop("plan", "games")
    assert ended.code == 0
    assert "no traffic" in ended.out
    assert "send some traffic" in ended.out


def test_marks_a_step_that_takes_longer_than_its_deadline(shop):
    late = StepOutlook(share=0.05, requests_per_second=0.01, finds={}, healthy_s=90_000.0)
    never = StepOutlook(share=0.25, requests_per_second=0.01, finds={})
    shop.answers["plan"] = found(steps=(late, never))
    out = shop("plan", "games").out
    assert "25 h, too late" in out
    assert "never" in out


def test_answers_as_json(shop):
    shop.answers["plan"] = found()
    told = shop("plan", "games", "--json").json
    assert told["steps"][0]["finds"]["purchases"] is None
    assert told["steps"][0]["harms"][0]["seconds"] == 12.4


@pytest.mark.parametrize(
    ("arguments", "rate", "since"),
    [
        ([], None, timedelta(hours=24)),
        (["--requests-per-second", "40", "--since", "7d"], 40.0, timedelta(days=7)),
    ],
)
def test_asks_for_what_it_is_told(shop, arguments, rate, since):
    shop.answers["plan"] = found()
    assert shop("plan", "games", *arguments).code == 0
    assert shop.verbs.asked == [("plan", ("games",), {"requests_per_second": rate, "since": since})]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "never"), (0.25, "0.25 s"), (45.0, "45 s"), (89.0, "89 s"), (90.0, "1.5 min"),
        (5_300.0, "88 min"), (21_600.0, "6 h"), (90_000.0, "25 h"), (259_200.0, "3 days"),
    ],
)  # fmt: skip
def test_durations_read_as_people_say_them(seconds, said):
    assert duration(seconds) == said
