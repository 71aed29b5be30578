"""What the simulated players send to a live server, over real HTTP."""

from __future__ import annotations

import pytest
from players_shop import Shop, listening, played

from flyball.games.world import World


@pytest.fixture(scope="module")
def world():
    return World(7, players=40)


@pytest.fixture
def shop(world):
    return Shop(world)


class TestTheProtocol:
    """What each session sends."""

    @pytest.fixture
    def after(self, shop, world):
        with listening(shop.app) as url:
            tally = played(url, world, sessions=25, rate=200.0)
            for seed in range(2, 8):
                more = played(url, world, sessions=25, rate=200.0, seed=seed)
                for name in ("sessions", "impressions", "clicks", "purchases", "plays"):
                    setattr(tally, name, getattr(tally, name) + getattr(more, name))
        return tally

    def test_shows_the_whole_list_once_and_says_whose_answer_it_was(self, shop, after):
        assert after.sessions == len(shop.shown) > 100
        seen = [e for e in shop.sent if e["type"] == "impression"]
        assert len(seen) == after.impressions == 10 * after.sessions
        for answer, (user_id, games) in shop.shown.items():
            mine = [e for e in seen if e["recommendation_id"] == answer]
            assert [e["game_id"] for e in mine] == games
            assert {e["user_id"] for e in mine} == {user_id}

    def test_clicks_only_on_what_was_shown_and_buys_only_what_was_clicked(self, shop, after):
        def pairs(kind):
            sent = [e for e in shop.sent if e["type"] == kind]
            return {(e["recommendation_id"], e["user_id"], e["game_id"]) for e in sent}

        assert pairs("click") < pairs("impression")
        assert pairs("purchase") < pairs("click")
        assert pairs("play") == pairs("purchase")
        assert after.clicks > after.purchases > 0

    def test_gives_every_event_an_id_of_its_own_even_for_the_same_seed(self, shop, world):
        with listening(shop.app) as url:
            played(url, world, sessions=10)
            played(url, world, sessions=10)
        ids = [event["event_id"] for event in shop.sent]
        assert len(ids) == len(set(ids)) > 200

    def test_gives_prices_and_hours_and_nothing_unknown(self, shop, after, world):
        for event in shop.sent:
            extra = {"value"} if event["type"] in ("purchase", "play") else set()
            assert event.keys() == {
                *("event_id", "type", "user_id", "game_id", "recommendation_id"),
                *extra,
            }
        bought = [e for e in shop.sent if e["type"] == "purchase"]
        assert all(e["value"] == world.price(e["game_id"]) for e in bought)
        assert all(e["value"] > 0 for e in shop.sent if e["type"] == "play")

    def test_asks_by_both_endpoints_for_ten(self, shop, after):
        assert {k for _, _, k in shop.asked} == {10}
        methods = [method for method, _, _ in shop.asked]
        assert min(methods.count("GET"), methods.count("POST")) > 50

    def test_brings_newcomers_and_players_with_a_history(self, shop, after, world):
        new = [user for _, user, _ in shop.asked if user not in world.user_ids]
        assert 3 <= len(new) <= 45
        assert not any(world.owned(user) for user in new)

    def test_comes_alike_for_a_seed(self, shop, world):
        with listening(shop.app) as url:
            played(url, world, sessions=12)
            played(url, world, sessions=12)
        users = [[u for _, u, _ in part] for part in (shop.asked[:12], shop.asked[12:])]
        known = [sorted(u for u in part if u in world.user_ids) for part in users]
        assert known[0] == known[1]
        assert len(known[0]) > 5


def test_nobody_buys_what_they_own(world):
    """One player, shown the same ten games again and again, buys each at most once."""
    alone = World(7, players=1)
    shop = Shop(world)
    owned = sorted(alone.owned("player-00001"))
    liked = sorted(
        (game.game_id for game in alone.games if len(game.platforms) >= 4),
        key=lambda game: -alone.affinity("player-00001", game),
    )
    shop.games = owned[:3] + [game for game in liked if game not in owned][:7]
    with listening(shop.app) as url:
        tally = played(url, alone, sessions=400, rate=400.0)
    bought = [e for e in shop.sent if e["type"] == "purchase" and e["user_id"] == "player-00001"]
    games = [event["game_id"] for event in bought]
    assert len(games) == len(set(games)) > 0
    assert not set(games) & set(owned)
    assert tally.sessions + tally.turned_away == 400


def test_events_the_server_rejects_are_counted_as_such(shop, world):
    shop.rejects = True
    with listening(shop.app) as url:
        tally = played(url, world, sessions=5, rate=100.0)
    assert tally.rejected == len(shop.batches)
    assert tally.impressions == 5 * 9
