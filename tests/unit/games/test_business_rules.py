"""What an operator may rely on: rules that hold, and rules that are refused with a reason."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from flyball.errors import ConfigurationError
from flyball.games.application import GamesApplication
from flyball.games.business_rules import GameRules, read_rules
from flyball.games.messages import Filters

NOW = datetime(2026, 5, 15, 12, tzinfo=UTC)
EVERYTHING = 100


def shown(servable, rules=None, k=EVERYTHING, *, player="player-3", now=NOW, **asked):
    document = rules if isinstance(rules, GameRules | None) else read_rules(rules)
    answer = servable.recommend(player, k=k, rules=document, now=now, **asked)
    return [item.game_id for item in answer.items]


class TestADocument:
    def test_without_rules_changes_nothing(self, servable):
        assert shown(servable, {}) == shown(servable)

    def test_is_read_with_the_times_that_the_command_line_makes_of_toml(self):
        pin = {"game_id": "a", "place": 1, "start": "2026-05-01 00:00:00+00:00"}
        assert read_rules({"pins": [pin]}).pins[0].start == datetime(2026, 5, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("document", "says"),
        [
            ({"hiden": ["a"]}, "unknown key 'hiden'; did you mean 'hidden'"),
            ({"pins": [{"game": "a", "place": 1}]}, r"unknown key 'pins\[0\].game'"),
            ({"boosts": [{"genre": ["a"], "factor": 2}]}, "did you mean 'genres'"),
            ({"hidden": "portal"}, r"\(hidden\)"),
            ({"diversity": 1.5}, r"<= 1.0 \(diversity\)"),
            ({"diversity": math.nan}, r"\(diversity\)"),
            ({"pins": [{"game_id": "a", "place": 0}]}, r">= 1 \(pins\[0\].place\)"),
            ({"pins": [{"game_id": "a"}]}, "missing required field `place`"),
            ({"boosts": [{"games": ["a"], "factor": 0.0}]}, r"> 0.0 \(boosts\[0\].factor\)"),
            ({"boosts": [{"games": ["a"], "factor": math.inf}]}, "inf is not finite"),
            ({"boosts": [{"factor": 2.0}]}, r"boosts\[0\] names nothing to boost"),
            (
                {"pins": [{"game_id": "a", "place": 1, "start": "2026-05-01T00:00:00"}]},
                "timezone",
            ),
            (
                {
                    "boosts": [
                        {
                            "games": ["a"],
                            "factor": 2.0,
                            "start": "2026-05-02T00:00:00Z",
                            "end": "2026-05-01T00:00:00Z",
                        }
                    ]
                },
                r"boosts\[0\] ends at",
            ),
            (
                {"pins": [{"game_id": "a", "place": 1}, {"game_id": "b", "place": 1}]},
                "'a' and 'b' are both pinned at place 1",
            ),
            (
                {"pins": [{"game_id": "a", "place": 1}, {"game_id": "a", "place": 2}]},
                "'a' is pinned at places 1 and 2",
            ),
            ([], "Expected `object`"),
        ],
    )
    def test_that_is_wrong_is_refused_and_says_where(self, document, says):
        with pytest.raises(ConfigurationError, match=says):
            GamesApplication().read_rules(document)

    def test_may_pin_two_games_at_one_place_one_after_the_other(self):
        first = {"game_id": "a", "place": 1, "end": "2026-05-01T00:00:00Z"}
        second = {"game_id": "b", "place": 1, "start": "2026-05-01T00:00:00Z"}
        assert len(read_rules({"pins": [first, second]}).pins) == 2


class TestHiddenGames:
    def test_are_never_shown_and_the_list_is_full_without_them(self, servable):
        plain = shown(servable, k=5)
        ruled = shown(servable, {"hidden": [*plain[:2], "no-such-game"]}, k=5)
        assert ruled == shown(servable, k=7)[2:]

    def test_are_not_among_similar_games(self, servable):
        plain = servable.similar("metroid", 3)
        rules = read_rules({"hidden": [plain[0].game_id]})
        assert servable.similar("metroid", 2, rules=rules) == plain[1:3]


class TestPins:
    def test_put_games_at_their_places_and_leave_the_others_in_order(self, servable):
        plain = shown(servable)
        last, before = plain[-1], plain[-2]
        pins = [{"game_id": last, "place": 1}, {"game_id": before, "place": 3}]
        assert shown(servable, {"pins": pins}, k=5) == [last, plain[0], before, *plain[1:3]]

    def test_are_no_way_past_what_the_player_has_hides_or_filters_out(self, servable):
        plain = shown(servable)
        owned = [servable.artifact.items[column] for column in servable.owned("player-3").items]
        pins = [
            {"game_id": owned[0], "place": 1},
            {"game_id": plain[-1], "place": 2},
            {"game_id": plain[-2], "place": 3},
            {"game_id": plain[-3], "place": 4},
            {"game_id": "no-such-game", "place": 5},
        ]
        ruled = shown(
            servable,
            {"pins": pins, "hidden": [plain[-3]]},
            filters=Filters(exclude=[plain[-1]]),
            overlay={"dislike": frozenset({plain[-2]})},
        )
        assert ruled == plain[:-3]

    @pytest.mark.parametrize(("hours", "holds"), [(-1, False), (0, True), (23, True), (24, False)])
    def test_hold_from_their_start_until_before_their_end(self, servable, hours, holds):
        start, plain = NOW, shown(servable)
        pin = {
            "game_id": plain[-1],
            "place": 1,
            "start": start.isoformat(),
            "end": (start + timedelta(days=1)).isoformat(),
        }
        found = shown(servable, {"pins": [pin]}, now=start + timedelta(hours=hours))
        assert (found[0] == plain[-1]) is holds


class TestBoosts:
    def test_raise_games_and_change_no_score_that_is_told(self, servable):
        plain = servable.recommend("player-3", k=EVERYTHING)
        told = {item.game_id: item.score for item in plain.items}
        last = plain.items[-1].game_id
        rules = read_rules({"boosts": [{"games": [last], "factor": 1e6}]})
        ruled = servable.recommend("player-3", k=EVERYTHING, rules=rules, now=NOW)
        assert ruled.items[0].game_id == last
        assert {item.game_id: item.score for item in ruled.items} == told

    def test_below_one_hold_games_back(self, servable):
        first = shown(servable)[0]
        boosts = [{"games": [first], "factor": 1e-6}]
        assert shown(servable, {"boosts": boosts})[-1] == first

    @pytest.mark.parametrize(
        ("names", "fits"),
        [
            ({"genres": ["PLATFORMER "]}, lambda game: "platformer" in game.genres),
            ({"tags": ["retro"]}, lambda game: "retro" in game.tags),
            ({"developers": ["nintendo"]}, lambda game: game.developer == "Nintendo"),
            (
                {"tags": ["retro"], "games": ["obscure-game-1"]},
                lambda game: "retro" in game.tags or game.game_id == "obscure-game-1",
            ),
        ],
        ids=["genres", "tags", "developers", "any of them"],
    )
    def test_are_for_all_games_that_a_name_fits(self, servable, names, fits):
        """By so large a factor all of these come before all others, each half in its order."""
        plain = shown(servable)
        chosen = [game_id for game_id in plain if fits(servable.catalogue.get(game_id))]
        assert 0 < len(chosen) < len(plain)
        ruled = shown(servable, {"boosts": [{**names, "factor": 1e9}]})
        assert ruled == chosen + [game_id for game_id in plain if game_id not in chosen]

    def test_that_are_over_do_nothing(self, servable):
        last = shown(servable)[-1]
        boost = {"games": [last], "factor": 1e6, "end": NOW.isoformat()}
        assert shown(servable, {"boosts": [boost]}) == shown(servable)

    def test_do_not_lift_a_game_over_the_least_score(self, servable):
        items = servable.recommend("player-3", k=EVERYTHING).items
        bar, last = items[4].score, items[-1].game_id
        assert items[-1].score < bar
        rules = {"boosts": [{"games": [last], "factor": 1e6}]}
        assert last not in shown(servable, rules, min_score=bar)


class TestDiversity:
    def alikeness(self, servable, games):
        vectors = servable.artifact.embeddings[[servable.artifact.index[game] for game in games]]
        cosines = vectors @ vectors.T
        return (cosines.sum() - np.trace(cosines)) / (len(games) * (len(games) - 1))

    def test_makes_lists_less_alike_and_as_long(self, servable):
        plain, diverse = shown(servable, k=8), shown(servable, k=8, diversity=0.8)
        assert len(diverse) == len(set(diverse)) == 8
        assert diverse[0] == plain[0]
        assert self.alikeness(servable, diverse) < self.alikeness(servable, plain)

    def test_of_the_rules_holds_where_the_request_says_nothing(self, servable):
        rules = {"diversity": 0.8}
        assert shown(servable, rules, k=8) == shown(servable, k=8, diversity=0.8)
        assert shown(servable, rules, k=8, diversity=0.0) == shown(servable, k=8)

    def test_leaves_pins_where_they_are(self, servable):
        last = shown(servable)[-1]
        rules = {"diversity": 0.8, "pins": [{"game_id": last, "place": 2}]}
        assert shown(servable, rules, k=8)[1] == last
