"""What each check of recommenders says, and when it says that nothing can be said."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from flyball import plugins
from flyball.domain.validation import Verdict
from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.games.catalogue import Catalogue, Game
from flyball.games.checks.bias import Bias, owners_of, pushed
from flyball.games.checks.calibration import Calibrated
from flyball.games.checks.desk import desk
from flyball.games.checks.leakage import Leakage, ratio_of_means
from flyball.games.checks.rivals import Rivals, compared
from flyball.games.checks.robustness import Robustness
from flyball.games.checks.segments import Segments
from flyball.games.checks.shilling import Shilling
from flyball.games.preparation import everything
from flyball.recommend import Fold, Popularity, PopularityConfig
from flyball.recommend.concentration import Exposure
from flyball.recommend.item_knn import ItemKnn, ItemKnnConfig
from flyball.testing.games import some_purchases
from flyball.testing.games_bench import GamesBench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """150 undated players of 40 games: quick, and split by hash."""
    root = tmp_path_factory.mktemp("bench")
    return GamesBench(root, {"interactions": some_purchases(150)})


@pytest.fixture(scope="module")
def good(bench):
    return bench.context(bench.good())


@pytest.fixture(scope="module")
def dated(tmp_path_factory):
    """400 players, split by time."""
    bench = GamesBench(tmp_path_factory.mktemp("dated"))
    return bench.context(bench.good())


def many_games(players=1000, games=300):
    """Undated: each has four games, most of them the popular ones."""
    rng = np.random.default_rng(0)
    weights = 1.0 / np.arange(1, games + 1)
    weights /= weights.sum()
    rows = [
        (f"player-{player}", f"Game {game}")
        for player in range(players)
        for game in rng.choice(games, size=6, replace=False, p=weights)
    ]
    return pl.DataFrame(rows, schema=["user_id", "title"], orient="row")


def few_players(context):
    """The same context with held-out games of ten players only."""
    final = context.prepared.final
    keep = np.zeros(final.test.shape[0], dtype=np.float32)
    keep[final.test_users[:10]] = 1.0
    test = csr_matrix(final.test.multiply(keep[:, None]))
    test.eliminate_zeros()
    return with_final(context, replace(final, test=test))


def with_final(context, fold):
    return replace(context, prepared=replace(context.prepared, final=fold))


@pytest.mark.parametrize("check", [Rivals, Segments, Bias, Shilling, Robustness, Leakage])
def test_a_handful_of_players_is_never_a_pass(check, good):
    """Missing evidence is inconclusive, and says what would help."""
    result = check().run(few_players(good))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.recommendation
    assert result.advisory


class TestRivals:
    def test_the_candidates_own_family_does_not_compete(self, good):
        rows = Rivals().run(good).details["compared"]
        assert [row["rival"] for row in rows] == ["popularity", "item_knn"]

    def test_a_rival_that_cannot_learn_leaves_it_open(self, good):
        class Unable(Popularity):
            @classmethod
            def fit(cls, data, config):
                raise TrainingError("too much for it")

        def families(name):
            return Unable if name == "item_knn" else plugins.model(name)

        other = with_final(good, replace(good.prepared.final))  # nothing worked out of it yet
        result = Rivals(families).run(other)
        assert result.verdict is not Verdict.PASS
        assert "too much for it" in str(result.details["compared"])

    def test_fails_a_model_that_is_as_good_once_in_a_hundred_at_most(self):
        """Simulated: 200 pairs of models that differ by chance only."""
        rng = np.random.default_rng(0)
        failed = 0
        for _ in range(200):
            ours, theirs = rng.beta(0.4, 0.8, (2, 150))
            failed += compared("rival", ours, theirs, n=3)["verdict"] == "fail"
        assert failed <= 5  # 0.8% are expected: 6 or more of 200 come up once in 200

    def test_fails_one_that_is_worse(self):
        rng = np.random.default_rng(0)
        theirs = rng.beta(0.4, 0.8, 300)
        ours = np.maximum(0.0, theirs - rng.uniform(0, 0.1, 300))
        assert compared("rival", ours, theirs, n=3)["verdict"] == "fail"


class TestBias:
    def test_a_pushed_publisher_is_named(self):
        owners = [Exposure("Pusher", 3, 0.4, 0.01, 40.0), Exposure("Known", 9, 0.5, 0.4, 1.25)]
        assert [text.split(" takes")[0] for text in pushed(owners)] == ["Pusher"]

    def test_the_developer_stands_in_for_an_unknown_publisher(self):
        games = Catalogue(
            (
                Game(game_id="a", title="A", developer="Maker", publisher="Seller"),
                Game(game_id="b", title="B", developer="Maker"),
            )
        )
        assert owners_of(["a", "b", "c"], games) == ["Seller", "Maker", None]

    def test_tells_of_the_catalogue_the_tail_and_the_publishers(self, good):
        details = Bias().run(good).details
        assert 0.0 < details["coverage@10"] <= 1.0
        assert {"gini@10", "popularity lift", "long tail, of places"} <= set(details)
        assert sum(row["shown"] for row in details["publishers"]) <= 1.0 + 1e-9


class TestShilling:
    def test_tells_of_each_attack(self, good):
        rows = Shilling().run(good).details["attacks"]
        assert {(row["attack"], row["made-up players"]) for row in rows} == {
            ("average", 0.001),
            ("average", 0.01),
            ("bandwagon", 0.001),
            ("bandwagon", 0.01),
        }
        assert len({row["game"] for row in rows}) == len(rows)

    def test_a_burst_is_told_of_and_fails_nothing(self, dated, tmp_path):
        """Popularity of the last days follows made-up players further if they come together."""
        bench = GamesBench(tmp_path, dated.tables)
        config = PopularityConfig(half_life_days=3.0)
        model = Popularity.fit(bench.prepared.final.train, config)
        version = bench.version("1.0.0", model, config.model_dump())
        result = Shilling().run(bench.context(version))
        rows = [row for row in result.details["attacks"] if row["made-up players"] == 0.01]
        *steady, burst = [row["median place, after"] for row in rows]
        assert "within a week" in rows[-1]["attack"]
        assert burst < 0.5 * min(steady)
        assert result.verdict is Verdict.PASS
        assert "all within a week" in result.summary

    def test_what_every_few_players_impress_fails(self, tmp_path):
        """1,000 players of 300 games, and likeness by mere cosine, however few share a game."""
        bench = GamesBench(tmp_path, {"interactions": many_games()})
        config = ItemKnnConfig(neighbours=300, weighting="cosine", shrinkage=0.0)
        model = ItemKnn.fit(bench.prepared.final.train, config)
        version = bench.version("1.0.0", model, config.model_dump())
        result = Shilling().run(bench.context(version))
        assert result.verdict is Verdict.FAIL
        assert "regularisation or shrinkage" in result.recommendation


class TestLeakage:
    def probe(self, context, words):
        found = [p for p in Leakage().run(context).details["probes"] if words in p["probe"]]
        return found[0]["verdict"]

    def test_a_held_out_pair_in_training_fails(self, good):
        final = good.prepared.final
        test = csr_matrix(final.test.maximum(final.train.matrix))
        assert self.probe(with_final(good, replace(final, test=test)), "held-out pair") == "fail"

    def test_training_on_the_future_fails(self, dated):
        """The training part with all that came later, too."""
        final = dated.prepared.final
        whole = everything(dated.tables, final.train.items.tolist())
        leaky = Fold(whole, csr_matrix(final.test.shape, dtype=np.float32), final.as_of)
        context = with_final(dated, leaky)
        assert self.probe(context, "later than the day") == "fail"
        assert self.probe(context, "future is changed") == "fail"

    def test_an_honest_split_stands_where_the_future_changes(self, dated):
        assert self.probe(dated, "future is changed") == "pass"

    def test_a_history_that_lacks_a_game_fails(self, good):
        final = good.prepared.final
        others = np.array([f"other {user}" for user in final.train.users])
        fold = replace(final, train=replace(final.train, users=others))
        assert self.probe(with_final(good, fold), "packaged histories") == "fail"

    def test_a_final_part_far_easier_than_the_validation_part_fails(self, dated):
        """Here the validation part holds games drawn blindly: nothing could foretell them."""
        inner = dated.prepared.search[0]
        drawn = np.random.default_rng(0).random(inner.test.shape) < 0.005
        blind = csr_matrix(np.maximum(0, drawn - inner.train.matrix.toarray()), dtype=np.float32)
        search = (replace(inner, test=blind),)
        context = replace(dated, prepared=replace(dated.prepared, search=search))
        assert self.probe(context, "about as hard") == "fail"

    def test_a_final_part_that_is_rather_too_easy_stops_the_version(self, dated, monkeypatch):
        """An operator has to look: it is not only that there is too little data."""
        monkeypatch.setattr("flyball.games.checks.leakage.SUSPICIOUS", 0.5)
        result = Leakage().run(dated)
        assert result.verdict is Verdict.INCONCLUSIVE
        assert not result.advisory

    def test_the_interval_of_a_ratio_holds_as_often_as_it_says(self):
        """Simulated: its lower end is above the true ratio in 2.5% of cases."""
        rng = np.random.default_rng(0)
        above = sum(
            ratio_of_means(rng.beta(0.6, 1.0, 300), rng.beta(0.3, 1.0, 300))[1]
            > (0.6 / 1.6) / (0.3 / 1.3)
            for _ in range(400)
        )
        assert above <= 22  # 10 are expected


class TestCalibration:
    def spoilt(self, bench, number, text):
        def spoil(directory):
            (directory / "reliability.json").write_text(text)

        return bench.context(bench.good(number, spoil=spoil))

    def test_nothing_to_judge_by_is_inconclusive(self, bench):
        result = Calibrated().run(self.spoilt(bench, "2.0.0", "null"))
        assert result.verdict is Verdict.INCONCLUSIVE

    def test_too_few_hits_are_inconclusive(self, bench, good):
        directory = desk(good).directory(good, good.candidate)
        found = json.loads((directory / "reliability.json").read_bytes())
        text = json.dumps({**found, "p_value": None})
        result = Calibrated().run(self.spoilt(bench, "2.1.0", text))
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.details["reliability"]["bins"] == found["bins"]

    @pytest.mark.parametrize("text", ["{}", "nonsense", '{"bins": 3}'])
    def test_a_damaged_file_is_an_error(self, bench, text):
        number = f"3.{len(text)}.0"
        with pytest.raises(ArtifactCorrupt, match="train again"):
            Calibrated().run(self.spoilt(bench, number, text))


class TestWhatChecksShare:
    def test_a_model_is_fitted_and_ranked_once_for_all_of_them(self, good):
        fitted = []

        def families(name):
            fitted.append(name)
            return plugins.model(name)

        fresh = with_final(good, replace(good.prepared.final))
        for check in (Rivals, Bias, Rivals):
            check(families).run(fresh)
        assert sorted(fitted) == ["item_knn", "popularity"]

    def test_another_fold_shares_nothing(self, good):
        other = with_final(good, replace(good.prepared.final))
        assert desk(good) is not desk(other)
