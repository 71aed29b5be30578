"""A client asks with a player's id; behind the edge nobody knows it."""

from __future__ import annotations

import polars as pl
import pytest

from flyball.domain.privacy import Pseudonyms
from flyball.recommend import Ease
from flyball.testing.games import OneVersionHost, a_purchase, packaged, some_purchases

PSEUDONYMS = Pseudonyms(b"a key of the tests")
RECOMMEND = "/v1/recommendations"


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    """A model whose data was pseudonymised at ingest."""
    rows = some_purchases()
    hidden = rows["user_id"].map_elements(PSEUDONYMS.of, return_dtype=pl.String)
    return packaged(Ease, tmp_path_factory.mktemp("artifact"), rows.with_columns(hidden))


class Watched(OneVersionHost):
    """Remembers whom a version was chosen for."""

    def choose(self, user):
        self.chosen_for = user
        return super().choose(user)


@pytest.fixture
def host(servable):
    return Watched(servable, pseudonyms=PSEUDONYMS)


def owned(servable, player: str) -> set[str]:
    return {servable.artifact.items[c] for c in servable.owned(PSEUDONYMS.of(player)).items}


class TestAPlayersId:
    @pytest.mark.parametrize("by_get", [True, False])
    def test_finds_their_games(self, client, servable, by_get):
        """They are known: their own games are the reasons, and none of them is recommended."""
        if by_get:
            answer = client.get(f"{RECOMMEND}/player-3", params={"k": 5})
        else:
            answer = client.post(RECOMMEND, json={"user_id": "player-3", "k": 5})
        items = answer.json()["items"]
        theirs = owned(servable, "player-3")
        assert theirs
        assert not theirs & {item["game_id"] for item in items}
        assert {reason["game_id"] for item in items for reason in item["reasons"]} <= theirs
        assert items[0]["reasons"]

    def test_chooses_the_version_by_their_pseudonym(self, client, host):
        client.get(f"{RECOMMEND}/player-3")
        assert host.chosen_for == PSEUDONYMS.of("player-3")

    def test_is_stored_with_no_event(self, client, host):
        assert client.post("/v1/events", json=[a_purchase()]).json()["accepted"] == 1
        assert [event.user_id for event in host.events.values()] == [PSEUDONYMS.of("player-3")]

    def test_joins_what_they_did_a_moment_ago(self, client, servable):
        before = client.get(f"{RECOMMEND}/player-3", params={"k": 1}).json()["items"][0]["game_id"]
        client.post("/v1/events", json=[a_purchase(game_id=before)])
        after = client.get(f"{RECOMMEND}/player-3", params={"k": 100}).json()["items"]
        assert before not in {item["game_id"] for item in after}

    def test_comes_back_in_no_other_form(self, client):
        asked = [
            client.get(f"{RECOMMEND}/player-3"),
            client.post("/v1/events", json=[a_purchase(), a_purchase(2, value=-1.0)]),
        ]
        assert not [answer for answer in asked if PSEUDONYMS.of("player-3") in answer.text]

    def test_may_not_be_a_pseudonym(self, client, servable):
        """Whoever learns a pseudonym learns nothing with it: it is an id like any other."""
        known = client.get(f"{RECOMMEND}/{PSEUDONYMS.of('player-3')}").json()["items"]
        assert known == client.get(f"{RECOMMEND}/nobody-at-all").json()["items"]


def test_the_exercise_of_a_candidate_holds_without_any_id(client, host, servable):
    """It asks for newcomers and histories; known players are asked for within the process."""
    assert servable.smoke() > 5
    answer = client.post(RECOMMEND, json={"history": sorted(owned(servable, "player-3"))[:3]})
    assert answer.json()["items"]
