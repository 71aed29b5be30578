"""What the platform may rely on of the games application, from rows to a packaged model."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import polars as pl
import pytest

from flyball import plugins
from flyball.errors import (
    ArtifactCorrupt,
    ConfigurationError,
    StorageUnavailable,
    TrainingError,
)
from flyball.games.application import GamesApplication
from flyball.games.artifact import Artifact
from flyball.games.catalogue import game_id
from flyball.games.tables import INTERACTIONS
from flyball.recommend import Ease, EaseConfig, Popularity, PopularityConfig
from flyball.testing.games import as_tables, game_titles, some_purchases

APPLICATION = GamesApplication()


@pytest.fixture(scope="module")
def frame():
    return some_purchases()


@pytest.fixture(scope="module")
def prepared(frame):
    return APPLICATION.prepare(as_tables(frame), seed=7)


@pytest.fixture(scope="module")
def ease(prepared):
    return Ease.fit(prepared.final.train, EaseConfig(regularisation=5.0))


@pytest.fixture
def directory(tmp_path, ease, prepared, frame):
    APPLICATION.package(ease, prepared, as_tables(frame), tmp_path / "artifact")
    return tmp_path / "artifact"


def pairs(data, matrix):
    rows, columns = matrix.nonzero()
    return set(zip(data.users[rows].tolist(), data.items[columns].tolist(), strict=True))


def digests(directory):
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


class TestItsPlaceInThePlatform:
    def test_it_comes_in_by_its_entry_point(self):
        assert isinstance(plugins.application("games"), GamesApplication)

    def test_its_families_are_registered_models(self):
        families = [plugins.model(name).family for name in APPLICATION.families]
        assert tuple(families) == APPLICATION.families

    @pytest.mark.parametrize(
        ("header", "column"),
        [("Player", "user_id"), ("GAME", "title"), ("behaviour", "event"), ("hours", "value")],
    )
    def test_usual_names_of_columns_are_understood(self, header, column):
        assert INTERACTIONS.column(header).name == column

    def test_a_user_and_a_title_are_all_a_file_needs(self):
        assert INTERACTIONS.missing(["user_id", "title"]) == ()
        assert INTERACTIONS.missing(["user_id"]) == ("title or item_id or game_id",)


class TestPreparing:
    def test_spellings_of_one_game_are_one_game(self, frame):
        title = game_titles()[0]
        shouted = frame.with_columns(pl.col("title").replace(title, title.upper() + "™"))
        mixed = pl.concat([frame, shouted])
        final = APPLICATION.prepare(as_tables(mixed), seed=7).final
        assert pairs(final.train, final.train.matrix + final.test) == {
            (user, game_id(title)) for user, title in frame.select("user_id", "title").rows()
        }

    def test_every_pair_is_learnt_from_or_judged_by_never_both(self, frame, prepared):
        final = prepared.final
        learnt = pairs(final.train, final.train.matrix)
        judged = pairs(final.train, final.test)
        everything = {
            (user, game_id(title)) for user, title in frame.select("user_id", "title").rows()
        }
        assert learnt | judged == everything
        assert not learnt & judged
        assert 0.1 < len(judged) / len(everything) < 0.3

    def test_the_search_never_sees_the_final_test(self, prepared):
        judged = pairs(prepared.final.train, prepared.final.test)
        for fold in prepared.search:
            seen = pairs(fold.train, fold.train.matrix + fold.test)
            assert seen
            assert not seen & judged

    def test_a_large_catalogue_is_searched_narrow_first(self):
        rng = np.random.default_rng(1)
        users = np.repeat(np.arange(500), 12)
        titles = [f"Game {number}" for number in rng.integers(0, 2000, size=len(users))]
        frame = pl.DataFrame({"user_id": [f"u{user}" for user in users], "title": titles})
        prepared = APPLICATION.prepare(as_tables(frame), seed=7)
        sizes = [len(fold.train.items) for fold in prepared.search]
        assert sizes[0] == 1024
        assert sizes[1] > 1500
        assert prepared.split["search"]["fidelities"] == sizes

    def test_a_small_catalogue_is_searched_whole(self, prepared):
        assert len(prepared.search) == 1

    def test_a_file_without_events_is_read_as_purchases(self, frame, prepared):
        bare = APPLICATION.prepare(as_tables(frame.select("user_id", "title")), seed=7)
        assert (bare.final.test != prepared.final.test).nnz == 0
        assert (bare.final.train.matrix != prepared.final.train.matrix).nnz == 0

    def test_the_order_of_rows_does_not_matter(self, frame, prepared):
        shuffled = APPLICATION.prepare(
            as_tables(frame.sample(fraction=1.0, shuffle=True, seed=3)), seed=7
        )
        assert (shuffled.final.test != prepared.final.test).nnz == 0
        assert shuffled.split == prepared.split

    def test_another_seed_is_another_split(self, frame, prepared):
        other = APPLICATION.prepare(as_tables(frame), seed=8)
        assert (other.final.test != prepared.final.test).nnz > 0

    def test_the_split_is_recorded_as_json(self, prepared):
        recorded = json.loads(json.dumps(prepared.split))
        assert recorded == prepared.split
        assert recorded["seed"] == 7
        assert recorded["players"] == 60
        assert recorded["games"] == 40
        assert recorded["held_out"] == prepared.final.test.nnz

    def test_rows_nobody_could_ask_for_are_left_out(self, frame, prepared):
        odd = pl.DataFrame(
            {
                "user_id": ["", None, "nul\0user", "player-1"],
                "title": [game_titles()[0]] * 3 + [None],
            }
        )
        with_odd = APPLICATION.prepare(
            as_tables(pl.concat([frame.select("user_id", "title"), odd])), seed=7
        )
        assert with_odd.final.train.users.tolist() == prepared.final.train.users.tolist()

    @pytest.mark.parametrize(("players", "games"), [(19, 40), (60, 9), (0, 0)])
    def test_too_little_data_is_refused_with_what_is_needed(self, frame, players, games):
        users = [f"player-{number}" for number in range(players)]
        little = frame.filter(
            pl.col("user_id").is_in(users) & pl.col("title").is_in(game_titles()[:games])
        )
        with pytest.raises(TrainingError, match="at least 10 games and 20 such players"):
            APPLICATION.prepare(as_tables(little), seed=7)


class TestEvaluating:
    def test_reports_each_player_and_the_means(self, ease, prepared):
        found = APPLICATION.evaluate(ease, prepared.final)
        assert set(found.metrics) == {*found.units, "coverage@10", "gini@10"}
        assert {"ndcg@10", "recall@20", "hit@10", "mrr", "map", "auc"} <= set(found.units)
        for name, values in found.units.items():
            assert values.shape == prepared.final.test_users.shape
            assert found.metrics[name] == pytest.approx(values.mean())

    def test_a_model_of_tastes_beats_popularity_where_there_are_tastes(self, ease, prepared):
        popularity = Popularity.fit(prepared.final.train, PopularityConfig())
        baseline = APPLICATION.evaluate(popularity, prepared.final)
        found = APPLICATION.evaluate(ease, prepared.final)
        assert found.metrics[APPLICATION.objective] > baseline.metrics[APPLICATION.objective]


class TestAPackagedModel:
    def test_is_worth_exactly_what_the_model_was(self, directory, ease, prepared):
        fresh = APPLICATION.evaluate(ease, prepared.final)
        again = APPLICATION.evaluate_artifact(directory, prepared.final)
        assert again.metrics == fresh.metrics
        for name, values in fresh.units.items():
            assert np.array_equal(again.units[name], values)

    def test_has_the_same_bytes_each_time(self, directory, tmp_path, frame):
        prepared = APPLICATION.prepare(
            as_tables(frame.sample(fraction=1.0, shuffle=True, seed=1)), seed=7
        )
        model = Ease.fit(prepared.final.train, EaseConfig(regularisation=5.0))
        APPLICATION.package(model, prepared, as_tables(frame), tmp_path / "again")
        assert digests(tmp_path / "again") == digests(directory)

    def test_knows_all_games_of_each_player_the_held_out_ones_too(self, directory, frame):
        artifact = Artifact.open(directory)
        for user, rows in frame.group_by("user_id"):
            owned = {game_id(title) for title in rows["title"]}
            assert {artifact.items[c] for c in artifact.history(user[0]).items} == owned

    @pytest.mark.parametrize("user", ["nobody", "", "player-1x", "player-" * 50, "å¼\ud800"])
    def test_knows_nothing_of_other_players(self, directory, user):
        assert len(Artifact.open(directory).history(user)) == 0

    def test_spells_a_game_as_its_facts_or_as_most_rows_do(self, tmp_path, ease, frame):
        loud = frame.with_columns(
            pl.when(pl.col("user_id") == "player-1")
            .then(pl.col("title").str.to_uppercase())
            .otherwise("title")
            .alias("title")
        )
        prepared = APPLICATION.prepare(as_tables(loud), seed=7)
        APPLICATION.package(ease, prepared, as_tables(loud), tmp_path)
        assert {game.title for game in Artifact.open(tmp_path).catalogue} == set(game_titles())

    def test_of_older_data_is_judged_on_newer_games_too(self, directory, ease, frame, prepared):
        newer = pl.DataFrame(
            {
                "user_id": [f"player-{n}" for n in range(40)],
                "title": [f"Brand New {n % 4}" for n in range(40)],
                "event": ["purchase"] * 40,
                "value": [1.0] * 40,
            }
        )
        fold = APPLICATION.prepare(as_tables(pl.concat([frame, newer])), seed=7).final
        found = APPLICATION.evaluate_artifact(directory, fold)
        assert 0.0 < found.metrics["ndcg@10"] <= 1.0
        old = APPLICATION.evaluate_artifact(directory, prepared.final)
        assert found.metrics["ndcg@10"] < old.metrics["ndcg@10"]  # it cannot name the new games

    def test_that_shares_no_game_with_the_data_scores_nothing(self, directory, frame):
        renamed = frame.with_columns(("Another " + pl.col("title")).alias("title"))
        fold = APPLICATION.prepare(as_tables(renamed), seed=7).final
        assert APPLICATION.evaluate_artifact(directory, fold).metrics["ndcg@10"] < 0.5

    def test_must_have_been_fitted_on_this_data(self, tmp_path, ease):
        few = some_purchases().filter(pl.col("title").is_in(game_titles()[:25]))
        prepared = APPLICATION.prepare(as_tables(few), seed=7)
        with pytest.raises(TrainingError, match="scores 40 games, the data has 25"):
            APPLICATION.package(ease, prepared, as_tables(few), tmp_path)

    @pytest.mark.parametrize(
        "file",
        ["games.json", "catalogue.jsonl", "catalogue_starts.npy", "titles.txt", "facts_names.txt",
         "facts_columns.npy", "items.npy", "users.npy", "indptr.npy", "indices.npy",
         "popularity.npy", "fame.npy", "model/weights.npy", "search/titles.txt",
         "search/grams_rows.npy"],
    )  # fmt: skip
    @pytest.mark.parametrize("harm", ["missing", "empty", "truncated", "pickled"])
    def test_that_is_damaged_is_refused_not_served(self, directory, file, harm):
        path = directory / file
        content = path.read_bytes()
        path.unlink()
        if harm == "pickled":
            with path.open("wb") as stream:
                np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        elif harm != "missing":
            path.write_bytes(content[: len(content) // 2] if harm == "truncated" else b"")
        with pytest.raises(ArtifactCorrupt, match=r"restore|train again"):
            APPLICATION.open(directory)

    def test_whose_files_do_not_fit_each_other_is_refused(self, directory):
        indices = np.load(directory / "indices.npy")
        indices[0] = 40
        np.save(directory / "indices.npy", indices)
        with pytest.raises(ArtifactCorrupt, match="do not fit each other"):
            APPLICATION.open(directory)

    def test_of_a_later_format_is_refused(self, directory):
        about = json.loads((directory / "games.json").read_bytes())
        (directory / "games.json").write_text(json.dumps({**about, "format": 99}))
        with pytest.raises(ArtifactCorrupt, match="format 99"):
            APPLICATION.open(directory)

    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"family_version": 99}, ArtifactCorrupt, "made by ease@99, installed is ease@"),
            ({"family": "no-such"}, ConfigurationError, "install the package that provides"),
        ],
    )
    def test_of_a_model_that_is_not_installed_is_refused(self, directory, change, error, says):
        about = json.loads((directory / "games.json").read_bytes())
        (directory / "games.json").write_text(json.dumps({**about, **change}))
        with pytest.raises(error, match=says):
            APPLICATION.open(directory)

    def test_that_cannot_be_written_says_so(self, tmp_path, ease, prepared, frame):
        (tmp_path / "catalogue.jsonl").mkdir()
        with pytest.raises(StorageUnavailable, match="cannot write"):
            APPLICATION.package(ease, prepared, as_tables(frame), tmp_path)
