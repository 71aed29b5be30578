"""The story of a dataset on real files, by the command line: in, looked at, served, forgotten."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from data_shop import (
    MODEL,
    Shop,
    busiest,
    csv_rows,
    games,
    recommended,
    rows_of,
    served,
    ten_popular,
    wait_until,
)

CATALOGUE, PURCHASES, REVIEWS = (
    "steam_games.json.gz", "steam-200k.csv", "steam_reviews_2010_2015.csv",
)  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("data-story"),  # one home for all of them
]


@pytest.fixture(scope="module")
def files() -> Path:
    """The folder of the published files, as they were published."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("FLYBALL_TEST_DATA", beside))
    absent = [n for n in (CATALOGUE, PURCHASES, REVIEWS) if not (folder / n).is_file()]
    if absent:
        pytest.skip(f"not there: {', '.join(absent)}; FLYBALL_TEST_DATA names their folder")
    return folder


@pytest.fixture(scope="module")
def shop(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A home after one turn of the loop on catalogue and purchases; only to be looked at."""
    made = Shop(tmp_path_factory.mktemp("story") / "home", files)
    told = made.ask("run", MODEL, files / CATALOGUE, files / PURCHASES)
    return Shop(made.home, files, told)


@pytest.fixture
def copied(shop: Shop, tmp_path: Path) -> Shop:
    """A copy of it, to be changed."""
    return Shop(shutil.copytree(shop.home, tmp_path / "home"), shop.files)


@pytest.fixture
def empty(tmp_path: Path) -> Shop:
    """A home without data, which takes files in which every tenth row is bad."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "flyball.toml").write_text("[models.games.gates]\nmax_quarantined = 0.2\n")
    return Shop(home, tmp_path)


class TestTwoPublishedFiles:
    """What comes in, and what the commands that look at it say."""

    def test_become_two_tables_and_nothing_is_lost_silently(self, shop):
        batches = [item["batch"] for item in shop.told["ingested"]]
        assert [b["table"] for b in batches] == ["catalogue", "interactions"]
        for batch, rows in zip(batches, (120_445, 200_000), strict=True):
            gone = sum(one["count"] for one in batch["findings"] if one["dropped"])
            assert batch["rows"] + gone == rows
        assert batches[0]["rows"] == 32_131
        assert shop.told["report"]["decision"] == "promote"

    def test_say_what_did_not_match_the_catalogue(self, shop):
        findings = shop.told["ingested"][1]["batch"]["findings"]
        [unknown] = [one for one in findings if one["rule"] == "reference:title"]
        assert 30_000 < unknown["count"] < 60_000
        assert not unknown["dropped"]

    def test_are_versions_in_the_log(self, shop):
        log = shop.ask("data", "log", MODEL)
        assert [version["batches"] for version in log] == [2, 1]
        assert [version["newest"] for version in log] == [True, False]
        assert log[0]["learned"] == [shop.told["trained"]["version"]["name"]]
        assert log[0]["rows"] == sum(item["batch"]["rows"] for item in shop.told["ingested"])

    def test_are_profiled_with_a_page(self, shop, tmp_path):
        page = tmp_path / "profile.html"
        found = shop.ask("data", "profile", MODEL, "--html", page)
        assert found["rows"] == shop.told["ingested"][1]["batch"]["rows"]
        assert found["columns"]["title"]["top"][0]["value"] == "Dota 2"
        assert "<svg" in page.read_text()
        prices = shop.ask("data", "profile", MODEL, "--table", "catalogue")["columns"]["price"]
        assert prices["min"] == 0.0

    def test_have_the_declared_schema(self, shop):
        found = shop.ask("data", "schema", MODEL)
        columns = {c["name"]: c for c in found["declared"][0]["columns"]}
        assert columns["user_id"]["privacy"] == "personal"

    def test_show_their_quarantine_by_line(self, shop):
        listed = shop.ask("data", "quarantine", MODEL)
        assert [one["rows"] for one in listed] == [4, 710]
        found = shop.ask("data", "quarantine", "explain", MODEL, listed[0]["batch"])
        assert {row["line"] for row in found["rows"]} == {88_385, 90_891, 102_884, 119_272}
        shop.ask("data", "quarantine", "explain", MODEL, "no-such-batch", code=2)

    def test_are_where_the_version_came_from_and_back(self, shop, tmp_path):
        version = shop.told["trained"]["version"]["name"]
        drawn = tmp_path / "lineage.svg"
        up = shop.ask("lineage", f"{MODEL}/{version}", "--up", "--svg", drawn)
        sources = {node["id"] for node in up["nodes"] if node["kind"] == "source"}
        assert sources == {str(shop.files / name) for name in (CATALOGUE, PURCHASES)}
        assert drawn.read_text().lstrip().startswith(("<svg", "<?xml"))
        first = shop.told["ingested"][0]["batch"]["batch_id"]
        down = shop.ask("lineage", f"batch:{MODEL}/{first}", "--down")
        kinds = {node["kind"] for node in down["nodes"]}
        assert {"dataset", "run", "version", "deployment"} <= kinds


class TestTheServer:
    """On the version that was trained with them."""

    def test_shows_genres_price_and_date_of_the_catalogue(self, shop):
        with served(shop.home) as client:
            game = client.get("/v1/games/18-wheels-of-steel-american-long-haul").json()
            racing = client.get("/v1/games", params={"genre": "racing", "limit": 50}).json()
        assert game["title"] == "18 Wheels of Steel: American Long Haul"
        assert "racing" in game["genres"]
        assert (game["price_usd"], game["released"]) == (9.99, "2007-12-03")
        assert len(racing["items"]) == 50
        assert all("racing" in item["genres"] for item in racing["items"])

    def test_traces_a_recommendation_back_to_the_files(self, shop):
        player, _ = busiest(shop.files / PURCHASES)
        with served(shop.home) as client:
            answer = recommended(client, player)
        found = shop.ask("lineage", answer["recommendation_id"], "--up")
        named = {node["id"] for node in found["nodes"] if node["kind"] == "source"}
        assert str(shop.files / PURCHASES) in named


class TestADatedFile:
    """Reviews, which name games by the catalogue's ids."""

    def test_is_what_the_next_version_has_more(self, copied):
        [item] = copied.ask("ingest", MODEL, copied.files / REVIEWS)
        batch = item["batch"]
        assert (item["new"], batch["rows"]) == (True, 48_471)
        assert "reference:item_id" in {finding["rule"] for finding in batch["findings"]}
        _, before, *_ = copied.ask("data", "log", MODEL)
        found = copied.ask("data", "diff", MODEL, before["version"][:8])
        tables = {table["table"]: table for table in found["tables"]}
        assert tables["catalogue"]["rows"] == {"added": 0, "removed": 0}
        assert tables["interactions"]["rows"] == {"added": 48_471, "removed": 0}
        added = {value["column"]: value["added"] for value in tables["interactions"]["values"]}
        assert (added["user_id"], added["item_id"]) == (22_783, 2_897)
        assert found["batches_added"] == [batch["batch_id"]]


class TestLiveEvents:
    """POST /v1/events, then `flyball ingest --from-events`."""

    def test_become_a_batch_once(self, copied):
        with served(copied.home) as client:
            wanted = [
                {"event_id": f"e-{n}-{game}", "type": "purchase", "user_id": f"newcomer-{n}",
                 "game_id": game}
                for n in range(20)
                for game in ("dota-2", "counter-strike")
            ]  # fmt: skip
            answer = client.post("/v1/events", json=wanted).json()
        assert answer == {"accepted": 40, "duplicates": 0, "rejected": []}
        [item] = copied.ask("ingest", MODEL, "--from-events", "--accept-anomalies")
        assert (item["new"], item["batch"]["rows"]) == (True, 40)
        nothing = copied.ask("ingest", MODEL, "--from-events", code=1)
        assert "no events" in nothing["detail"]


class TestAPlayerWhoWantsToBeForgotten:
    def test_is_not_in_the_next_version_and_not_served_as_known(self, copied):
        player, owned = busiest(copied.files / PURCHASES)
        with served(copied.home) as client:
            assert games(recommended(client, player)) != ten_popular(client)
            bought = {"event_id": "e-1", "type": "purchase", "user_id": player, "game_id": "dota-2"}
            assert client.post("/v1/events", json=[bought]).json()["accepted"] == 1
            done = copied.ask("data", "forget", MODEL, "-", stdin=f"{player}\n".encode())
            at_once = {"FLYBALL_MODELS__GAMES__ROLLOUT__STEPS": "[1.0]"}
            copied.ask("run", MODEL, env=at_once)
            wait_until(lambda: games(recommended(client, player)) == ten_popular(client))
        assert done["events"] == 1
        assert done["rows"] >= len(owned)
        assert done["learned"] == [copied.ask("versions", MODEL)[0]["name"]]
        assert copied.ask("ledger", "verify")["verified"]
        newest, *_ = copied.ask("data", "log", MODEL)
        assert newest["version"] == done["dataset"]
        assert len(newest["learned"]) == 1  # the run above
        table = rows_of(copied.home)
        assert done["pseudonym"] not in table
        assert player not in table
        self._does_not_come_back(copied, done)

    def _does_not_come_back(self, shop, done):
        """The file they were in brings nobody back."""
        [again] = shop.ask("ingest", MODEL, shop.files / PURCHASES)
        assert not again["new"], again["note"]
        assert shop.ask("data", "forget", MODEL, "-", stdin=b"nobody-at-all\n")["rows"] == 0
        assert done["pseudonym"] not in rows_of(shop.home)


class TestCopiesOfADataset:
    """push, pull, checkout and gc."""

    def test_come_back_from_the_remote_when_the_home_lost_its_own(self, copied, tmp_path):
        env = {"FLYBALL_DATASETS__REMOTE": str(tmp_path / "elsewhere")}
        newest, oldest = copied.ask("data", "log", MODEL)
        pushed = copied.ask("data", "push", MODEL, env=env)
        assert pushed["objects"] >= 4  # (a second copy is kept beside each: some may be there)
        shutil.rmtree(copied.home / ".dvc" / "cache")
        shutil.rmtree(copied.home / "remote")
        pulled = copied.ask("data", "pull", MODEL, env=env)
        assert pulled["objects"] >= 4
        laid = copied.ask("data", "checkout", MODEL, oldest["version"][:10], env=env)
        assert (laid["newest"], laid["files"]) == (False, 2)
        laid = copied.ask("data", "checkout", MODEL, env=env)
        assert (laid["newest"], laid["version"]) == (True, newest["version"])

    def test_that_a_model_needs_survive_the_garbage_collection(self, copied):
        player, _ = busiest(copied.files / PURCHASES)
        learned, *_ = copied.ask("data", "log", MODEL)
        copied.ask("data", "forget", MODEL, "-", stdin=player.encode())
        planned = copied.ask("data", "gc", "--dry-run")
        assert planned["dry_run"]
        assert planned["removed"]["objects"] == 0
        copied.ask("data", "gc")
        laid = copied.ask("data", "checkout", MODEL, learned["version"])
        assert laid["files"] == 3


class TestOtherWaysIn:
    """A dirty file that is repaired, standard input, a database."""

    def test_a_dirty_file_is_repaired_by_rule(self, empty):
        dirty = empty.files / "dirty.csv"
        dirty.write_bytes(csv_rows(200, value=lambda n: -3 if n % 10 == 0 else n))
        [item] = empty.ask("ingest", MODEL, dirty)
        batch = item["batch"]
        assert (batch["rows"], batch["quarantined"]) == (180, 20)
        how = ("--rule", "minimum:value", "--with", "clip")
        tried = empty.ask(*REPAIR, MODEL, batch["batch_id"], *how, "--dry-run")
        assert (tried["planned"]["rows"], tried["ingested"]) == (20, None)
        done = empty.ask(*REPAIR, MODEL, batch["batch_id"], *how)
        assert done["ingested"]["batch"]["repaired_from"] == batch["batch_id"]
        assert done["ingested"]["dataset"]["rows"] == 200
        again = empty.ask(*REPAIR, MODEL, batch["batch_id"], *how)
        assert (again["planned"]["already"], again["ingested"]) == (20, None)
        [listed] = empty.ask("data", "quarantine", MODEL)
        assert listed["repaired_by"] == [done["ingested"]["batch"]["batch_id"]]

    def test_too_dirty_a_file_is_refused_with_the_rule(self, empty):
        dirty = empty.files / "dirty.csv"
        dirty.write_bytes(csv_rows(200, value=lambda n: -3 if n % 2 else n))
        problem = empty.ask("ingest", MODEL, dirty, code=1)
        assert "minimum:value: 100 rows" in problem["detail"]
        assert empty.ask("data", "log", MODEL) == []

    def test_standard_input_and_a_query_are_batches_like_files(self, empty):
        [piped] = empty.ask("ingest", MODEL, "-", stdin=csv_rows(100))
        assert (piped["batch"]["source"], piped["batch"]["rows"]) == ("standard input", 100)
        database = empty.files / "shop.db"
        with closing(sqlite3.connect(database)) as shop:
            shop.execute("CREATE TABLE sales (buyer TEXT, game TEXT, hours REAL)")
            sold = [(f"player-{n}", f"Game {n % 7}", float(n)) for n in range(90)]
            shop.executemany("INSERT INTO sales VALUES (?, ?, ?)", sold)
            shop.commit()
        query = "SELECT buyer AS user_id, game AS title, 'play' AS event, hours FROM sales"
        [asked] = empty.ask("ingest", MODEL, f"sqlite:///{database}", "--query", query)
        assert (asked["new"], asked["batch"]["rows"]) == (True, 90)
        assert asked["dataset"]["rows"] == 190
        empty.ask("ingest", MODEL, database, "--query", query, code=2)
        assert list((empty.home / "incoming").iterdir()) == []


REPAIR = ("data", "quarantine", "repair")
