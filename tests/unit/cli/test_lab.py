"""``flyball lab launch``: what was hidden, who found it, and what could not be told."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.answers import Experimented
from flyball.errors import TrainingError

CHANCE = {"mean": 0.05, "low": 0.05, "high": 0.05}
WHY = "the rows are not dated: nobody knows what a first week brought"


def a_day(day: int = 0, **fields: Any) -> dict[str, Any]:
    recall = {"mean": 0.446, "low": 0.431, "high": 0.462}
    return {
        "day": day,
        "players": 2691,
        "interactions": 7166,
        "recall_at": 20,
        "ndcg_at": 10,
        "scores": [
            {"name": "model", "recall": recall, "ndcg": {"mean": 0.206, "low": 0.2, "high": 0.21}},
            {"name": "random", "recall": CHANCE, "ndcg": CHANCE},
            {"name": "genre popularity", "recall": CHANCE, "ndcg": CHANCE},
        ],
        "times": {"random": 8.92, "genre popularity": 12.6},
        "exposure": {
            "at": 10,
            "players": 5000,
            "share_of_places": 0.016,
            "games_shown": 106,
            "share_of_interactions": 0.059,
        },
        **fields,
    }


def a_launch(*days: dict[str, Any], **fields: Any) -> Experimented:
    games = {
        "hidden": 376,
        "eligible": 3763,
        "of": 5152,
        "released_from": "2015-07-29",
        "released_until": "2016-03-01",
        "interactions": 7609,
        "share_of_interactions": 0.059,
        "most_owned": ["unturned", "robocraft"],
    }
    defaults: dict[str, Any] = {
        "experiment": "launch",
        "model": "games",
        "version": "1.2.0-0123abcd-89ef4567",
        "family": "ease",
        "hyperparameters": {"regularisation": 30.0},
        "data_version": "2260dc69ac7c40bedb76adf6c8e34df5",
        "found": {"games": games, "days": list(days or (a_day(), {"day": 7, "why": WHY}))},
    }
    return Experimented(**(defaults | fields))


class TestALaunch:
    def test_says_what_was_tried_and_what_was_hidden(self, shop):
        shop.answers["lab"] = a_launch()
        told = shop("lab", "launch", "games").out
        assert "ease (1.2.0-0123abcd-89ef4567)" in told
        assert "376 of 3,763 games" in told
        assert "2015-07-29 to 2016-03-01" in told
        assert "unturned, robocraft" in told

    def test_shows_who_made_the_lists_the_model_first(self, shop):
        shop.answers["lab"] = a_launch()
        lines = shop("lab", "launch", "games").out.splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith("List by"))
        assert "Recall@20" in lines[start]
        assert lines[start + 2].split()[:3] == ["model", "0.446", "0.431"]
        assert "8.9 times random, 12.6 times genre popularity" in "\n".join(lines)

    def test_sets_what_is_shown_of_new_games_beside_what_players_have_of_them(self, shop):
        shop.answers["lab"] = a_launch()
        told = " ".join(shop("lab", "launch", "games").out.split())
        assert "hidden ones take 1.6% of the first 10 places (5.9% of what players have)" in told
        assert "106 of them are shown at all" in told

    def test_says_why_a_day_cannot_be_told(self, shop):
        shop.answers["lab"] = a_launch()
        assert f"Day 7: {WHY}" in shop("lab", "launch", "games").out

    def test_shows_both_days_where_rows_are_dated(self, shop):
        shop.answers["lab"] = a_launch(a_day(), a_day(7, players=12))
        told = shop("lab", "launch", "games").out
        assert "Day 0: lists of hidden games for 2,691 players" in told
        assert "Day 7: lists of hidden games for 12 players" in told

    def test_never_divides_by_a_rival_that_found_nothing(self, shop):
        shop.answers["lab"] = a_launch(a_day(times={"random": 8.9, "genre popularity": None}))
        told = shop("lab", "launch", "games").out
        assert "Recall of the model: 8.9 times random." in told

    def test_of_a_family_says_that_its_settings_are_the_default(self, shop):
        shop.answers["lab"] = a_launch(version="", family="content", hyperparameters={})
        assert "content (default settings)" in shop("lab", "launch", "games").out

    def test_is_one_json_document(self, shop):
        shop.answers["lab"] = a_launch()
        found = shop("lab", "launch", "games", "--json").json
        assert found["family"] == "ease"
        assert found["found"]["days"][0]["scores"][0]["recall"]["mean"] == 0.446
        assert found["found"]["days"][1] == {"day": 7, "why": WHY}


class TestTheCommandLine:
    @pytest.mark.parametrize(
        ("typed", "asked"),
        [
            ((), {"version": None, "family": None, "share": 0.1}),
            (("1.2.0", "--share", "0.05"), {"version": "1.2.0", "family": None, "share": 0.05}),
            (("--family", "content"), {"version": None, "family": "content", "share": 0.1}),
        ],
    )
    def test_reaches_the_verb(self, shop, typed, asked):
        shop.answers["lab"] = a_launch()
        assert shop("lab", "launch", "games", *typed).code == 0
        assert shop.verbs is not None
        assert shop.verbs.asked == [("lab", ("launch", "games"), asked)]

    def test_ends_with_1_where_the_data_is_too_little(self, shop):
        shop.answers["lab"] = TrainingError("a launch needs at least 20 new games")
        ended = shop("lab", "launch", "games", "--json")
        assert ended.code == TrainingError.exit_code == 1
        assert ended.json["detail"] == "a launch needs at least 20 new games"

    def test_ends_with_2_where_the_share_is_no_number(self, shop):
        assert shop("lab", "launch", "games", "--share", "many").code == 2
