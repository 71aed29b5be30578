"""What a player may rely on in the answers of a loaded model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from flyball.errors import DeploymentError, NotFound
from flyball.games.application import GamesApplication
from flyball.games.artifact import Artifact
from flyball.games.messages import Filters
from flyball.games.servable import GamesServable
from flyball.recommend import Ease, History, Popularity
from flyball.testing.games import packaged, some_purchases

EVERYTHING = 100


@pytest.fixture(scope="module")
def frame():
    return some_purchases()


@pytest.fixture(scope="module", params=[Ease, Popularity], ids=lambda model: model.family)
def servable(request, tmp_path_factory, frame):
    return packaged(request.param, tmp_path_factory.mktemp("artifact"), frame)


@pytest.fixture(scope="module")
def ease(tmp_path_factory, frame):
    return packaged(Ease, tmp_path_factory.mktemp("ease"), frame)


def ids(answer):
    return [item.game_id for item in answer.items]


def owned_by(servable, player):
    return {servable.artifact.items[column] for column in servable.owned(player).items}


def popular(servable):
    """Game ids: the largest share of the players learnt from, the most owned, by id."""
    shares, counts = servable.artifact.shares, servable.artifact.popularity
    return [servable.artifact.items[n] for n in np.lexsort((-counts, -shares))]


class TestAKnownPlayer:
    def test_gets_every_game_but_their_own_when_asking_for_all(self, servable):
        answer = servable.recommend("player-3", k=EVERYTHING)
        owned = owned_by(servable, "player-3")
        assert len(owned) >= 6
        assert set(ids(answer)) == set(servable.artifact.items) - owned
        assert answer.underfilled

    def test_gets_as_many_as_asked_best_first(self, servable):
        whole = servable.recommend("player-3", k=EVERYTHING)
        answer = servable.recommend("player-3", k=7)
        assert answer.items == whole.items[:7]
        assert not answer.underfilled
        scores = [item.score for item in whole.items]
        assert scores == sorted(scores, reverse=True)

    def test_is_not_shown_what_they_bought_or_played_or_disliked_since(self, servable):
        first, second, third, *_ = ids(servable.recommend("player-3", k=10))
        since = {
            "purchase": frozenset({first}),
            "play": frozenset({second}),
            "dislike": frozenset({third}),
        }
        shown = ids(servable.recommend("player-3", k=EVERYTHING, overlay=since))
        assert not {first, second, third}.intersection(shown)

    def test_may_see_again_what_they_only_clicked_or_saw(self, servable):
        first = ids(servable.recommend("player-3", k=1))[0]
        since = {"click": frozenset({first}), "impression": frozenset({first})}
        assert first in ids(servable.recommend("player-3", k=1, overlay=since))

    def test_a_purchase_counts_like_a_game_of_the_history(self, ease):
        game = popular(ease)[-1]
        bought = ease.recommend("newcomer", k=5, overlay={"purchase": frozenset({game})})
        assert bought == ease.recommend(None, [game], 5)

    def test_a_dislike_hides_and_teaches_nothing(self, ease):
        game = popular(ease)[0]
        answer = ease.recommend("newcomer", k=5, overlay={"dislike": frozenset({game})})
        assert answer.items == ease.recommend("newcomer", k=6).items[1:]

    def test_has_the_games_of_the_request_too(self, servable):
        first = ids(servable.recommend("player-3", k=1))[0]
        shown = ids(servable.recommend("player-3", [first], EVERYTHING))
        assert first not in shown
        assert not owned_by(servable, "player-3").intersection(shown)


class TestAnUnknownPlayer:
    def test_gets_the_most_popular_games_in_order(self, servable):
        answer = servable.recommend("never seen", k=10)
        assert ids(answer) == popular(servable)[:10]
        assert answer == servable.recommend(None, k=10)

    def test_sees_the_probability_that_such_players_take_to_so_popular_a_game(self, servable):
        best = servable.recommend(None, k=1).items[0]
        share = servable.artifact.shares[servable.artifact.index[best.game_id]]
        assert best.score == servable.artifact.popular.apply(share)
        assert best.score == servable.recommend(None, k=1, history=["nothing-known"]).items[0].score

    def test_is_told_that_popularity_speaks_for_the_games(self, servable):
        for item in servable.recommend(None, k=5).items:
            assert [(r.game_id, r.kind, r.share) for r in item.reasons] == [
                (None, "popularity", 1.0)
            ]
            assert item.rest == 0.0

    def test_with_a_history_of_games_nobody_knows_is_still_unknown(self, servable):
        answer = servable.recommend(None, ["no-such-game", "another"], 10)
        assert answer == servable.recommend(None, k=10)


class TestReasons:
    def test_are_games_of_the_player_the_strongest_first(self, ease):
        owned = owned_by(ease, "player-3")
        for item in ease.recommend("player-3", k=10).items:
            assert 1 <= len(item.reasons) <= 3
            assert {reason.game_id for reason in item.reasons} <= owned
            shares = [reason.share for reason in item.reasons]
            assert shares == sorted(shares, reverse=True)
            assert min(shares) > 0
            assert sum(shares) + item.rest == pytest.approx(1.0)
            assert item.exact

    def test_are_the_largest_terms_of_the_score_and_all_shares_add_up(self, servable):
        artifact = servable.artifact
        history = servable.owned("player-3")
        scores = artifact.model.score(history)
        for item in servable.recommend("player-3", k=EVERYTHING).items:
            column = artifact.index[item.game_id]
            terms = artifact.model.terms(history, np.array([column]))
            assert terms.sums[0] == pytest.approx(scores[column], abs=1e-5)
            base = 0.0 if terms.base is None else float(terms.base[0])
            names = [*(artifact.items[c] for c in history.items), None]
            worth = dict(zip(names, [*terms.items[0].tolist(), base], strict=True))
            positive = {name: term for name, term in worth.items() if term > 0}
            largest = sorted(positive, key=positive.__getitem__, reverse=True)[:3]
            total = sum(positive.values())
            assert [reason.game_id for reason in item.reasons] == largest
            for reason in item.reasons:
                assert reason.share == pytest.approx(positive[reason.game_id] / total, abs=1e-6)
            unshown = sum(positive[name] for name in positive if name not in largest)
            assert item.rest == pytest.approx(unshown / total, abs=1e-6)

    def test_a_single_game_is_the_whole_reason(self, ease):
        game = popular(ease)[0]
        item = ease.recommend(None, [game], 1).items[0]
        assert [(reason.game_id, reason.share) for reason in item.reasons] == [(game, 1.0)]
        assert item.rest == 0.0


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "fits"),
        [
            (Filters(genres=["RPG", "puzzle"]), lambda g: {"rpg", "puzzle"} & set(g.genres)),
            (Filters(platforms=["Switch "]), lambda g: "switch" in g.platforms),
            (Filters(max_price=5.0), lambda g: g.price_usd is not None and g.price_usd <= 5.0),
            (
                Filters(released_after=date(1995, 1, 1)),
                lambda g: g.released is not None and g.released > date(1995, 1, 1),
            ),
            (
                Filters(platforms=["windows"], max_price=10.0),
                lambda g: (
                    "windows" in g.platforms and g.price_usd is not None and g.price_usd <= 10.0
                ),
            ),
        ],
        ids=["genres", "platforms", "price", "released", "together"],
    )
    def test_leave_exactly_the_games_that_fit(self, servable, filters, fits):
        fitting = {game.game_id for game in servable.catalogue if fits(game)}
        assert 0 < len(fitting) < 40
        answer = servable.recommend(None, k=EVERYTHING, filters=filters)
        assert set(ids(answer)) == fitting

    def test_apply_before_the_best_are_picked(self, servable):
        worst_first = popular(servable)[::-1]
        answer = servable.recommend(None, k=3, filters=Filters(exclude=worst_first[3:]))
        assert set(ids(answer)) == set(worst_first[:3])
        assert not answer.underfilled

    def test_that_nothing_passes_give_an_empty_underfilled_answer(self, servable):
        answer = servable.recommend(None, k=3, filters=Filters(genres=["no such genre"]))
        assert answer.items == []
        assert answer.underfilled

    def test_a_game_released_on_the_day_is_not_after_it(self, servable):
        game = next(game for game in servable.catalogue if game.released is not None)
        shown = servable.recommend(
            None, k=EVERYTHING, filters=Filters(released_after=game.released)
        )
        assert game.game_id not in ids(shown)

    def test_a_least_score_cuts_the_list(self, servable):
        whole = servable.recommend("player-3", k=EVERYTHING)
        bar = whole.items[4].score
        answer = servable.recommend("player-3", k=EVERYTHING, min_score=bar)
        assert all(item.score >= bar for item in answer.items)
        assert len(answer.items) == sum(item.score >= bar for item in whole.items)
        assert answer.underfilled


class TestSimilarGames:
    def test_never_hold_the_game_itself_nor_more_than_asked(self, servable):
        for game in servable.artifact.items:
            alike = [other.game_id for other in servable.similar(game, 5)]
            assert game not in alike
            assert len(alike) == len(set(alike)) <= 5

    def test_are_only_those_the_game_speaks_for(self, ease):
        for game in ease.artifact.items:
            scores = [other.score for other in ease.similar(game, EVERYTHING)]
            assert all(score > 0 for score in scores)
            assert scores == sorted(scores, reverse=True)

    def test_to_an_unknown_game_are_an_error_that_says_what_to_do(self, servable):
        with pytest.raises(NotFound, match=r"'no-such-game'.*search for it"):
            servable.similar("no-such-game", 5)

    def test_by_content_are_the_games_described_most_alike(self, ease):
        vectors = ease.artifact.embeddings
        for game in ease.artifact.items:
            column = ease.artifact.index[game]
            cosines = vectors @ vectors[column]
            for other in ease.similar(game, EVERYTHING, content=1.0):
                expected = cosines[ease.artifact.index[other.game_id]]
                assert other.score == pytest.approx(expected, abs=1e-6)

    def test_mixed_lie_between_the_two(self, ease):
        players = {o.game_id: o.score for o in ease.similar("metroid", EVERYTHING)}
        likest = max(players.values())
        content = {o.game_id: o.score for o in ease.similar("metroid", EVERYTHING, content=1.0)}
        for other in ease.similar("metroid", EVERYTHING, content=0.25):
            id = other.game_id
            expected = 0.75 * players.get(id, 0.0) / likest + 0.25 * content.get(id, 0.0)
            assert other.score == pytest.approx(expected, abs=1e-6)

    def test_to_a_game_nobody_has_yet_are_those_like_it(self, tmp_path, frame):
        new = pl.DataFrame(
            {
                "item_id": ["new"],
                "name": ["Metroid Reborn"],
                "genres": [["action", "adventure"]],
                "tags": [["metroidvania", "sci-fi"]],
                "developer": ["Nintendo"],
                "release_date": [datetime(2024, 1, 1, tzinfo=UTC)],
            }
        )
        launched = packaged(Ease, tmp_path, frame, new)
        assert launched.artifact.popularity[launched.artifact.index["metroid-reborn"]] == 0
        alike = launched.similar("metroid-reborn", 3)
        assert "metroid" in {game.game_id for game in alike}
        assert alike == launched.similar("metroid-reborn", 3, content=1.0)


class TestAWorldOfOddTitles:
    """Emoji, right-to-left letters, blanks: games as any others."""

    TITLES = (
        "🎮🔥",
        "משחק טוב",
        "لعبة",
        "  Blank  ",
        "Ⅷ",
        "名作",
        "a\u0301e\u0301",
        "💿",
        "Ω",
        "мир",
    )

    def test_is_recommended_searched_and_explained(self, tmp_path):
        rows = [
            (f"player-{player}", self.TITLES[(player * step + step) % len(self.TITLES)])
            for player in range(30)
            for step in range(1, 6)
        ]
        frame = pl.DataFrame(rows, schema=["user_id", "title"], orient="row").unique(
            maintain_order=True
        )
        odd = packaged(Ease, tmp_path, frame)
        assert odd.smoke() > 0
        for game in odd.catalogue:
            assert odd.search(game.title, 1)[0].game_id == game.game_id
            assert odd.why_not("nobody", game.game_id).verdict == "recommended"
        shown = odd.recommend(None, [odd.artifact.items[0]], 10)
        assert len(shown.items) == len(odd.artifact.items) - 1


class TestALongHistory:
    def test_of_a_million_ids_is_that_of_the_games_among_them(self, ease):
        known = list(ease.artifact.items[:5])
        history = known * 100_000 + ["no-such-game"] * 500_000
        assert ease.recommend(None, history, 10) == ease.recommend(None, known, 10)

    def test_is_scored_as_the_model_says(self, tmp_path):
        rng = np.random.default_rng(1)
        users = [f"player-{number}" for number in np.repeat(np.arange(60), 30)]
        titles = [f"Game {number}" for number in rng.integers(0, 200, size=len(users))]
        long = packaged(Ease, tmp_path, pl.DataFrame({"user_id": users, "title": titles}))
        history = long.artifact.items[:74]
        scores = long.artifact.model.score(History(np.arange(len(history))))
        answer = long.recommend(None, history, EVERYTHING)
        assert len(answer.items) == EVERYTHING
        for item in answer.items:
            expected = scores[long.artifact.index[item.game_id]]
            assert item.score == pytest.approx(long.artifact.calibration.apply(expected), abs=1e-6)

    def test_of_every_game_leaves_nothing_to_recommend(self, servable):
        answer = servable.recommend(None, servable.artifact.items, 5)
        assert answer.items == []
        assert answer.underfilled


class TestSmoke:
    def test_counts_what_it_asked(self, servable):
        assert servable.smoke() == 12

    def test_does_without_genres_where_none_are_known(self, tmp_path, frame):
        unknown = frame.with_columns(("Obscure " + pl.col("title")).alias("title"))
        assert packaged(Ease, tmp_path, unknown).smoke() == 11

    @pytest.mark.parametrize("wrong", [np.nan, np.inf], ids=["NaN", "infinite"])
    def test_refuses_a_model_whose_scores_are_no_numbers(self, tmp_path, frame, wrong):
        packaged(Ease, tmp_path, frame)
        weights = np.load(tmp_path / "model" / "weights.npy")
        np.save(tmp_path / "model" / "weights.npy", np.full_like(weights, wrong))
        with pytest.raises(DeploymentError, match=r"smoke test|no number"):
            GamesApplication().open(tmp_path).smoke()

    def test_refuses_a_model_that_recommends_owned_games(self, ease):
        class Forgetful(GamesServable):
            def recommend(self, user_id, *args, **kwargs):
                return super().recommend(None, *args, **kwargs)

        with pytest.raises(DeploymentError, match="holds a game the player has"):
            Forgetful(ease.artifact).smoke()


class TestServing:
    def test_arrays_are_mapped_not_read(self, ease):
        for array in (ease.artifact.users, ease.artifact.indices, ease.artifact.popularity):
            assert isinstance(array.base, np.memmap)
            assert not array.flags.writeable

    def test_many_threads_get_the_answers_one_would(self, ease):
        players = [f"player-{number}" for number in range(60)] * 5
        alone = [ease.recommend(player, k=10) for player in players]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda player: ease.recommend(player, k=10), players))
        assert together == alone

    def test_two_openings_answer_alike(self, tmp_path, frame):
        first = packaged(Ease, tmp_path, frame)
        second = GamesServable(Artifact.open(tmp_path))
        for player in ("player-1", "player-2", "nobody"):
            assert first.recommend(player, k=20) == second.recommend(player, k=20)

    def test_the_probe_answers_requests(self, ease):
        asked = []

        class Watched(GamesServable):
            def recommend(self, user_id, *args, **kwargs):
                asked.append(user_id)
                return super().recommend(user_id, *args, **kwargs)

        probe = GamesApplication().scoring_probe(Watched(ease.artifact))
        for _ in range(70):
            probe()
        assert len(asked) == 70
        assert set(asked) == {f"player-{number}" for number in range(60)}
