"""``flyball shown``: counts for people, everything as JSON."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from flyball.steps.shown import ShownCounts, ShownReport
from flyball.testing.builders import NOON

COUNTS = ShownCounts(
    version="1.0.0-0123abcd-89ef4567", variant="champion", lists=1_200, items=12_000,
    rendered=9_000, clicked=310, purchased=25, value=512.5,
)  # fmt: skip


def found(**fields: object) -> ShownReport:
    stretch = {"since": NOON, "until": NOON + timedelta(hours=24)}
    told = {"counts": (COUNTS,), "orphans": 0, "elsewhere": 0}
    return ShownReport(model="games", **(stretch | told | fields))  # type: ignore[arg-type]


def test_shows_what_came_of_each_version(shop):
    shop.answers["shown"] = found(orphans=3, elsewhere=1, out=Path("rows.parquet"))
    out = shop("shown", "games").out
    for word in (
        "1.0.0-0123abcd-89ef4567",
        "champion",
        "1,200",
        "12,000",
        "9,000",
        "310",
        "512.50",
    ):
        assert word in out
    assert "3 events" in out
    assert "rows.parquet" in out


def test_says_so_where_nothing_is_kept(shop):
    shop.answers["shown"] = found(counts=())
    assert "no list of games is kept" in shop("shown", "games").out


def test_answers_as_json(shop):
    shop.answers["shown"] = found()
    told = shop("shown", "games", "--json").json
    assert told["counts"][0]["purchased"] == 25
    assert told["out"] is None


@pytest.mark.parametrize(
    ("arguments", "since", "out"),
    [
        ([], timedelta(hours=24), None),
        (["--since", "7d", "--out", "x.parquet"], timedelta(days=7), Path("x.parquet")),
        (["--since", "90m"], timedelta(minutes=90), None),
    ],
)
def test_asks_for_as_much_as_it_is_told(shop, arguments, since, out):
    shop.answers["shown"] = found()
    assert shop("shown", "games", *arguments).code == 0
    assert shop.verbs.asked == [("shown", ("games",), {"since": since, "out": out})]


def test_refuses_a_time_that_it_cannot_read(shop):
    shop.answers["shown"] = found()
    ended = shop("shown", "games", "--since", "yesterday")
    assert ended.code == 2
    assert "90m, 24h or 7d" in ended.err
