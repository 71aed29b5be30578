"""``flyball verify``, ``flyball history`` and what ``flyball served`` adds, as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.answers import Served
from flyball.domain.bundle import Anchor, Bundle, move_of
from flyball.domain.facts import Facts
from flyball.domain.ledger import GENESIS, chained
from flyball.errors import EvidenceBroken
from flyball.steps.story import Chapter
from flyball.steps.verifying import Holds, Proven
from flyball.testing.builders import NOON, SHA, a_version, an_entry

NAME = a_version().name


@pytest.fixture
def held() -> Holds:
    bundle = Bundle(
        model="games",
        version=NAME,
        number=1,
        previous=GENESIS,
        move=move_of(an_entry(actor="control"), approver="operator:ada"),
        ledger=Anchor(),
        facts=Facts(),
    )
    return Holds(
        model="games",
        version=NAME,
        moves=(Proven(bundle=bundle, digest=SHA, key="ab" * 32, row=7),),
        checked=("signatures and chain",),
        notes=("one thing to know",),
    )


class TestVerify:
    def test_says_that_it_holds_with_every_move(self, shop, held):
        shop.answers["verify"] = held
        ended = shop("verify", "games", "1.0.0")
        assert ended.code == 0
        for said in (NAME, "holds", "validation -> staging", "approved by operator:ada", "5e5e5e5e",
                     "abababababab", "one thing to know"):  # fmt: skip
            assert said in ended.out
        assert shop.verbs.asked == [("verify", ("games", "1.0.0"), {"key": None, "out": None})]

    def test_as_json_is_one_document(self, shop, held):
        shop.answers["verify"] = held
        answer = shop("verify", "games", "--json").json
        assert answer["moves"][0]["bundle"]["move"]["target"] == "staging"
        assert answer["moves"][0]["row"] == 7

    def test_ends_with_1_and_names_what_does_not_hold(self, shop):
        shop.answers["verify"] = EvidenceBroken("bundle 2 of games/x does not hold: changed")
        ended = shop("verify", "games", "1.0.0")
        assert ended.code == 1
        assert "The evidence does not hold: bundle 2" in ended.err

    def test_writes_the_bundles_where_it_is_told(self, shop, held):
        shop.answers["verify"] = held
        assert "there.json" in shop("verify", "games", "--out", "there.json").out
        assert shop.verbs.asked[0][2]["out"] == Path("there.json")

    def test_of_a_file_needs_the_key_and_nothing_else(self, shop, held):
        shop.answers["verify_file"] = held
        assert shop("verify", "--bundle", "e.json", "--key", "p.pem").code == 0
        asked = [("verify_file", (Path("e.json"),), {"key": Path("p.pem")})]
        assert shop.verbs.asked == asked
        for wrong in ("--bundle e.json", "games --bundle e.json --key p.pem", ""):
            assert shop("verify", *wrong.split()).code == 2


class TestHistory:
    def test_tells_who_did_what_when_why_and_on_what_it_rests(self, shop):
        shop.answers["history"] = [
            Chapter(at=NOON, who="", what="report r on v: promote", why="9 of 9", about="games/r"),
            Chapter(at=NOON, who="operator:ada", what="hold", why="complaints", about="games/2",
                    row=9, evidence=f"decision {SHA}", bundle=""),
            Chapter(at=NOON, who="control", what="staging -> production", why="ok", about="games/v",
                    row=10, bundle=SHA),
        ]  # fmt: skip
        ended = shop("history", "games", "1.0.0")
        assert ended.code == 0
        rests = ("decision 5e5e5e5e", "bundle 5e5e5e5e")
        for said in ("operator:ada", "complaints", "9 of 9", *rests):
            assert said in ended.out
        assert shop.verbs.asked == [("history", ("games", "1.0.0"), {})]
        assert [one["row"] for one in shop("history", "games", "--json").json] == [None, 9, 10]

    def test_of_nothing_says_so(self, shop):
        shop.answers["history"] = []
        assert "nothing has happened yet" in shop("history", "games").out


def test_served_shows_the_shares_and_leads_to_the_bundle(shop):
    entry = an_entry(action="shift", before="0%", after="5%", reason="loaded by 2 workers")
    shop.answers["served"] = Served(
        model="games",
        at=NOON,
        version=NAME,
        since=NOON,
        because="switched",
        by="control",
        ledger_row=3,
        shares={NAME: 0.95, "2.0.0": 0.05},
        shared=chained(entry, seq=8, previous=GENESIS),
        bundle=SHA,
    )
    ended = shop("served", "games")
    for said in ("95.0%", "2.0.0 5.0%", "loaded by 2 workers", "ledger row 8", "bundle 5e5e5e5e"):
        assert said in ended.out
