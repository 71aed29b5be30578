"""Why a game is in a list or why not, in words a player understands."""

from __future__ import annotations

import re
from datetime import date

import pytest

from flyball.games.business_rules import read_rules
from flyball.games.messages import Filters

PLAYER = "player-3"


def listed(servable, k=100, **asked):
    return [item.game_id for item in servable.recommend(PLAYER, k=k, **asked).items]


@pytest.fixture
def game(servable):
    """A game the player does not have and of which everything is known."""
    return next(g for g in listed(servable) if servable.catalogue.get(g).genres)


class TestAGame:
    def test_of_the_list_is_recommended_at_its_place(self, servable):
        for place, game_id in enumerate(listed(servable, k=5), 1):
            fate = servable.why_not(PLAYER, game_id, k=5)
            assert (fate.verdict, fate.rank) == ("recommended", place)
            assert f"number {place} of the 5" in fate.detail

    def test_beyond_the_list_has_the_rank_it_would_have(self, servable):
        whole = listed(servable)
        fate = servable.why_not(PLAYER, whole[7], k=5)
        assert (fate.verdict, fate.rank) == ("ranked", 8)
        assert "7 games come before" in fate.detail
        item = servable.recommend(PLAYER, k=8).items[7]
        assert (fate.score, fate.reasons, fate.rest) == (item.score, item.reasons, item.rest)

    def test_that_the_player_has_is_owned_whatever_else_holds(self, servable):
        owned = servable.artifact.items[servable.owned(PLAYER).items[0]]
        rules = read_rules({"hidden": [owned]})
        fate = servable.why_not(PLAYER, owned, filters=Filters(genres=["none"]), rules=rules)
        assert (fate.verdict, fate.rank) == ("owned", None)

    def test_bought_a_moment_ago_is_owned(self, servable, game):
        overlay = {"purchase": frozenset({game})}
        assert servable.why_not(PLAYER, game, overlay=overlay).verdict == "owned"
        assert servable.why_not(PLAYER, game, [game]).verdict == "owned"

    def test_hidden_says_by_whom(self, servable, game):
        mine = servable.why_not(PLAYER, game, overlay={"dislike": frozenset({game})})
        shops = servable.why_not(PLAYER, game, rules=read_rules({"hidden": [game]}))
        assert (mine.verdict, mine.detail) == ("hidden", "hidden: the player does not like it")
        assert (shops.verdict, shops.detail) == ("hidden", "hidden: the shop hides it")

    @pytest.mark.parametrize(
        ("asked", "says"),
        [
            ({"genres": ["no such", "nor this"]}, "'genres'.*asked for no such, nor this; it has "),
            ({"tags": ["none"]}, "'tags'.*asked for none"),
            ({"platforms": ["none"]}, "'platforms'"),
            ({"max_age_rating": 12}, "'max_age_rating'.*asked for 12; of it that is not known"),
            (
                {"released_after": date(2100, 1, 1)},
                "'released_after'.*2100-01-01; it has",
            ),
            ({"min_price": 1e6}, "'min_price'.*it has"),
        ],
        ids=str,
    )
    def test_filtered_out_says_what_was_asked_and_what_it_has(self, servable, game, asked, says):
        fate = servable.why_not(PLAYER, game, filters=Filters(**asked))
        assert (fate.verdict, fate.rank) == ("filtered", None)
        assert re.search(says, fate.detail)

    def test_excluded_by_the_request_says_so(self, servable, game):
        fate = servable.why_not(PLAYER, game, filters=Filters(exclude=[game]))
        assert "'exclude'" in fate.detail
        assert "the request excludes it" in fate.detail

    def test_below_the_least_score_has_its_score(self, servable, game):
        fate = servable.why_not(PLAYER, game, min_score=0.99999)
        assert (fate.verdict, fate.rank) == ("below_score", None)
        assert 0 < fate.score < 0.99999
        assert "0.99999" in fate.detail

    def test_nobody_knows_is_told_as_such(self, servable):
        fate = servable.why_not(PLAYER, "no-such-game")
        assert (fate.verdict, fate.rank, fate.score) == ("unknown_game", None, None)
        assert "'no-such-game'" in fate.detail
        assert "/v1/search" in fate.detail


class TestOverHttp:
    def test_says_why_with_the_filters_of_the_list(self, client, host, game):
        path = f"/v1/why-not/{PLAYER}/{game}"
        body = client.get(path).json()
        assert {"user_id", "game_id", "verdict", "rank", "score", "detail", "reasons"} <= set(body)
        assert (body["user_id"], body["game_id"]) == (PLAYER, game)
        assert body["verdict"] in {"recommended", "ranked"}
        asked = {"genres": ["no such", "neither"], "k": 3}
        filtered = client.get(path, params=asked).json()
        assert filtered["verdict"] == "filtered"
        assert "asked for no such, neither" in filtered["detail"]
        assert client.get(path, params={"min_score": 0.99999}).json()["verdict"] == "below_score"
        assert host.counted == [("/v1/why-not/{user_id}/{game_id}", 200)] * 3

    def test_follows_events_and_rules(self, client, host, game):
        path = f"/v1/why-not/{PLAYER}/{game}"
        host.in_force = read_rules({"pins": [{"game_id": game, "place": 1}]})
        assert client.get(path).json()["rank"] == 1
        host.in_force = read_rules({"hidden": [game]})
        assert client.get(path).json()["verdict"] == "hidden"
        event = {"event_id": "e", "type": "purchase", "user_id": PLAYER, "game_id": game}
        client.post("/v1/events", json=[event])
        assert client.get(path).json()["verdict"] == "owned"

    def test_an_unknown_game_is_an_answer_not_an_error(self, client):
        answer = client.get(f"/v1/why-not/{PLAYER}/no-such-game")
        assert answer.status_code == 200
        assert answer.json()["verdict"] == "unknown_game"

    def test_takes_players_with_a_slash_in_their_name(self, client):
        body = client.get("/v1/why-not/a/b/metroid").json()
        assert (body["user_id"], body["game_id"]) == ("a/b", "metroid")
