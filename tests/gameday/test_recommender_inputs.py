"""What odd players, odd rows and odd requests come to: a right answer or a clear refusal.

Through the real command line, and over HTTP on a real server. Never NaN on the wire, never a game
that the player has, never a traceback.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any

import httpx
import odd_players as odd
import pytest
from gameday_home import MODEL
from gameday_processes import flyball, started, until

from flyball.games.catalogue import LONGEST_ID, game_id
from flyball.testing.games import is_a_problem

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("recommender-inputs"),  # one home for all of them
]

IDS = {title: game_id(title) for title in (*odd.TITLES, *odd.SHELF)}
SECONDS = 10.0
"""A worst case on a busy machine; on a calm one these answers take a fraction of a second."""

LENIENT = {"FLYBALL_MODELS__GAMES__GATES__MAX_SHILLED": "1"}
"""Where a game has one player, one more made up moves it far; that is another test's business."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home where a version learnt from the odd players serves."""
    folder = tmp_path_factory.mktemp("odd-players")
    source = odd.written(folder / "odd.csv", odd.odd_rows())
    done = flyball("run", MODEL, source, "--json", home=folder / "home", env=LENIENT)
    assert done.code == 0, done.out
    assert "Traceback" not in done.err
    (folder / "answer.json").write_text(done.out)
    return folder / "home"


@pytest.fixture(scope="module")
def client(home):
    """A client of one real server on it, ready."""
    with started("--port", "0", home=home, module="flyball.serving") as server:
        url = server.first_line()["url"]
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            assert until(lambda: client.get("/health/ready").status_code == 200, every=0.05)
            yield client
            assert server.running, server.ended().err


def asked(client: httpx.Client, **wishes: Any) -> Any:
    """An answer to ``POST /v1/recommendations``: probabilities, with shares that add up."""
    found = sound(client.post("/v1/recommendations", json=wishes), wishes.get("k", 10))
    assert all(0.0 <= item["score"] <= 1.0 for item in found["items"])
    for item in found["items"]:
        total = item["rest"] + sum(reason["share"] for reason in item["reasons"])
        assert math.isclose(total, 1.0, abs_tol=1e-3) or total == 0.0
    return found


def sound(answer: httpx.Response, k: int = 10) -> Any:
    """An answer in standard JSON that holds no game twice and says whether it is full."""
    assert answer.status_code == 200, answer.text
    found = json.loads(answer.text, parse_constant=_no_number)
    assert len(set(games(found))) == len(found["items"]) <= k
    assert found["underfilled"] == (len(found["items"]) < k)
    return found


def _no_number(constant: str) -> float:
    raise AssertionError(f"{constant} on the wire")


def games(answer: Any) -> list[str]:
    return [item["game_id"] for item in answer["items"]]


class TestOddRows:
    """What cannot be learnt from is refused, with what to do about it; what can, is learnt."""

    def test_hours_that_are_no_number_are_left_out_and_said(self, home):
        (item,) = json.loads((home.parent / "answer.json").read_text())["ingested"]
        findings = {each["rule"]: each for each in item["batch"]["findings"]}
        assert findings["number:value"]["count"] == 2
        assert "'inf' is not a finite number" in findings["number:value"]["detail"]
        assert (
            findings["duplicate"]["count"] == item["batch"]["rows"] == len(odd.odd_rows()) // 2 - 1
        )

    def test_a_file_of_nothing_but_such_hours_is_refused(self, home, tmp_path):
        values = ("NaN", "inf", "-inf", "1e999")
        rows = [(*row[:3], values[n % 4]) for n, row in enumerate(odd.equal_rows())]
        source = odd.written(tmp_path / "hours.csv", rows)
        ended = flyball("ingest", MODEL, source, home=tmp_path / "home")
        ended.refused(1, str(source), "360 of 360 rows", "not a finite number", "fix the source")

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("one player", ["12 games", "1 player with", "20 such players", "ingest more"]),
            ("one game", ["1 game ", "0 players", "at least 10 games", "ingest more"]),
        ],
    )
    def test_too_little_to_learn_from_says_how_much_is_needed(self, kind, words, tmp_path):
        rows = {"one player": odd.equal_rows(players=1), "one game": odd.equal_rows(games=1)}
        source = odd.written(tmp_path / "few.csv", rows[kind])
        ended = flyball("run", MODEL, source, home=tmp_path / "home")
        ended.refused(1, "training failed", *words)

    def test_players_who_all_have_the_same_games_are_no_obstacle(self, tmp_path):
        """There is nothing to tell games apart by, so popularity is all there is to serve."""
        source = odd.written(tmp_path / "equal.csv", odd.equal_rows())
        ended = flyball("run", MODEL, source, "--json", home=tmp_path / "home")
        assert ended.code == 0, ended.err
        told = ended.json()
        assert told["trained"]["version"]["family"] == "popularity"
        assert told["deployed"]["deployment"]["phase"] == "baking"


class TestOddPlayers:
    """Each gets the games they do not have, as many as there are."""

    def test_who_has_every_game_gets_an_empty_list_that_says_so(self, client):
        began = time.monotonic()
        found = asked(client, user_id=odd.COLLECTOR)
        assert time.monotonic() - began < SECONDS
        assert (found["items"], found["underfilled"]) == ([], True)

    def test_who_has_nearly_all_gets_what_is_left(self, client):
        """A list longer than what is left holds all of it, and is underfilled."""
        left = {IDS[title] for title in (*odd.MISSING, *odd.SHELF)}
        found = asked(client, user_id=odd.ALMOST, k=100)
        assert set(games(found)) <= left
        assert {IDS[title] for title in odd.MISSING} == set(games(found)[:3])
        every = [IDS[title] for title in odd.TITLES[:-3]]
        fate = client.get(f"/v1/why-not/{odd.ALMOST}/{every[0]}").json()
        assert fate["verdict"] == "owned"

    def test_who_has_one_game_gets_ten_others(self, client):
        found = asked(client, user_id=odd.LONELY)
        assert len(found["items"]) == 10
        assert IDS[odd.TITLES[0]] not in games(found)

    def test_nobody_in_particular_gets_the_popular_games(self, client):
        """No player, an unknown one, an empty history and one of unknown games are the same."""
        plain = games(asked(client))
        assert len(plain) == 10
        for wishes in (
            {"user_id": "never-seen"},
            {"history": []},
            {"history": ["no-such-game", "👾", "\u202e", "x" * LONGEST_ID]},
            {"user_id": "\u202e👾"},
        ):
            assert games(asked(client, **wishes)) == plain

    def test_a_game_named_many_times_is_one_game(self, client):
        once = [IDS[title] for title in odd.TITLES[12:15]]
        found = asked(client, history=once)
        again = asked(client, history=[*once * 1000, "no-such-game"])
        assert again["items"] == found["items"]
        assert not set(once) & set(games(found))


class TestOddTitles:
    """A title of any script is shown as it is written, and its game can be asked for."""

    @pytest.mark.parametrize(
        "title", [odd.EMOJI[0], odd.EMOJI[-1], *odd.RIGHT_TO_LEFT, odd.LONG, *odd.TITLES[10:12]]
    )
    def test_is_found_shown_and_explained(self, title, client):
        game = IDS[title]
        shown = client.get(f"/v1/games/{game}")
        assert shown.status_code == 200, shown.text
        assert shown.json()["title"] == title.strip()
        found = client.get("/v1/search", params={"q": title, "k": 10}).json()
        assert game in games(found)
        sound(client.get(f"/v1/games/{game}/similar"))
        assert game not in games(asked(client, history=[game]))
        fate = client.get(f"/v1/why-not/never-seen/{game}").json()
        assert fate["verdict"] in {"recommended", "ranked"}


class TestOddRequests:
    """Refused with what is wrong, or answered; the server goes on."""

    def test_a_history_of_a_million_games_is_refused(self, client):
        long = is_a_problem(
            client.post("/v1/recommendations", json={"history": ["g" * 9] * 1_000_000}), 413
        )
        assert "at most 8,388,608 bytes" in long
        many = is_a_problem(
            client.post("/v1/recommendations", json={"history": ["g"] * 1_000_000}), 422
        )
        assert "100000" in many
        assert "$.history" in many
        assert asked(client)["items"]

    def test_the_longest_history_there_may_be_is_answered_in_time(self, client):
        every = list(IDS.values())[:-15]
        long = [*every, *(f"unknown-{n}" for n in range(100_000 - len(every)))]
        began = time.monotonic()
        found = asked(client, history=long, k=100)
        assert time.monotonic() - began < SECONDS
        assert set(games(found)) == set(list(IDS.values())[-15:])

    @pytest.mark.parametrize(
        "filters",
        [
            {"genres": ["puzzle"], "exclude_genres": ["puzzle"]},
            {"min_price": 10, "max_price": 5},
            {"released_after": "2020-01-01", "released_before": "2010-01-01"},
            {"exclude": list(IDS.values())},
        ],
    )
    def test_filters_that_contradict_each_other_leave_an_empty_list(self, filters, client):
        found = asked(client, user_id="player-0", filters=filters)
        assert (found["items"], found["underfilled"]) == ([], True)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ('{"min_score": NaN}', "malformed"),
            ('{"min_score": 1e999}', "out of range"),
            ('{"diversity": 2}', "$.diversity"),
            ('{"k": 0}', "$.k"),
            ('{"history": [null]}', "$.history"),
            ('{"history": ["\\udc00"]}', "surrogate"),
            ('{"filters": {"max_price": -1}}', "$.filters.max_price"),
            ('{"user": "player-0"}', "unknown field `user`"),
        ],
    )
    def test_what_makes_no_sense_is_refused_by_name(self, body, words, client):
        answer = client.post(
            "/v1/recommendations", content=body, headers={"content-type": "application/json"}
        )
        assert words in is_a_problem(answer, 422)


class TestOddRules:
    """Rules that make no sense change nothing; those that do are followed within seconds."""

    @pytest.mark.parametrize(
        ("document", "words"),
        [
            ("hidden = [", ["cannot be read"]),
            ("hiden = []", ["hiden", "hidden"]),
            ("diversity = nan", ["diversity"]),
            ('[[pins]]\ngame_id = "a"\nplace = 0', ["pins[0].place"]),
            (
                '[[boosts]]\ngenres = ["puzzle"]\nfactor = 2\n'
                "start = 2026-06-01T00:00:00Z\nend = 2026-05-01T00:00:00Z",
                ["boosts[0]", "not after its start"],
            ),
            ('[[boosts]]\ngames = ["a"]\nfactor = inf', ["boosts[0]", "finite"]),
        ],
    )
    def test_a_broken_file_is_refused_and_the_rules_stay(self, document, words, tmp_path):
        """As any wrong call: nothing serves yet, and nothing needs to."""
        file = tmp_path / "rules.toml"
        file.write_text(document)
        ended = flyball("rules", MODEL, "--set", file, home=tmp_path / "home")
        ended.refused(2, "cannot be read", *words)

    def test_no_rule_gets_past_what_a_player_has_or_the_shop_hides(self, home, client, tmp_path):
        """Set while it serves: no restart, no training; a pin of a hidden or owned game waits."""
        player, k = "player-0", 5
        before = games(asked(client, user_id=player, k=k))
        last = games(asked(client, user_id=player, k=20))[-1]
        owned = next(
            game
            for game in IDS.values()
            if client.get(f"/v1/why-not/{player}/{game}").json()["verdict"] == "owned"
        )
        file = tmp_path / "rules.json"
        pins = [owned, before[0], "no-such-game", last]
        rules = {
            "hidden": [before[0]],
            "pins": [{"game_id": game, "place": n} for n, game in enumerate(pins, start=1)],
        }
        file.write_text(json.dumps(rules))
        try:
            done = flyball("rules", MODEL, "--set", file, home=home)
            assert done.code == 0, done.err
            assert until(lambda: last in games(asked(client, user_id=player, k=k)), 30.0, 0.05)
            found = games(asked(client, user_id=player, k=k))
            assert not {owned, before[0]} & set(found)
            assert found[3] == last
            assert [game for game in found if game != last] == before[1:k]
        finally:
            cleared = flyball("rules", MODEL, "--clear", home=home)
        assert cleared.code == 0, cleared.err
        assert until(lambda: games(asked(client, user_id=player, k=k)) == before, 30.0, 0.05)
