"""Whatever is asked of a games model, its answer is one a player can rely on."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from flyball.games.evaluation import Translated
from flyball.games.messages import Filters
from flyball.recommend import Ease, Popularity
from flyball.testing.games import packaged, some_purchases

GENRES = ["action", "RPG", "puzzle", "platformer", "strategy", "no such genre"]
PLATFORMS = ["windows", "switch", "Mac", "playstation", "no such platform"]


@pytest.fixture(scope="module", params=[Ease, Popularity], ids=lambda model: model.family)
def servable(request, tmp_path_factory):
    return packaged(request.param, tmp_path_factory.mktemp("artifact"), some_purchases())


def items(servable):
    return [*servable.artifact.items, "no-such-game"]


def optional(strategy):
    return st.none() | strategy


@st.composite
def filters(draw, games):
    return Filters(
        genres=draw(optional(st.lists(st.sampled_from(GENRES), max_size=3))),
        platforms=draw(optional(st.lists(st.sampled_from(PLATFORMS), max_size=3))),
        max_price=draw(optional(st.floats(0, 80, allow_nan=False))),
        released_after=draw(optional(st.dates(date(1980, 1, 1), date(2024, 1, 1)))),
        exclude=draw(st.lists(st.sampled_from(games), max_size=20)),
    )


def passes(game, wanted):
    """The filters, written down as they are promised."""
    genres = {name.strip().casefold() for name in wanted.genres or ()}
    platforms = {name.strip().casefold() for name in wanted.platforms or ()}
    return (
        (wanted.genres is None or bool(genres & set(game.genres)))
        and (wanted.platforms is None or bool(platforms & set(game.platforms)))
        and (
            wanted.max_price is None
            or (game.price_usd is not None and game.price_usd <= wanted.max_price)
        )
        and (
            wanted.released_after is None
            or (game.released is not None and game.released > wanted.released_after)
        )
        and game.game_id not in wanted.exclude
    )


@settings(deadline=None)  # the machine may be busy; speed is measured in benchmarks/
@given(data=st.data())
def test_an_answer_holds_only_what_may_be_shown_and_all_of_it_that_was_asked_for(servable, data):
    games = items(servable)
    some = st.lists(st.sampled_from(games), max_size=25)
    player = data.draw(optional(st.sampled_from(["player-0", "player-31", "player-59", "nobody"])))
    history, k = data.draw(some), data.draw(st.integers(1, 100))
    wanted = data.draw(optional(filters(games)))
    since = {kind: frozenset(data.draw(some)) for kind in ("purchase", "play", "dislike", "click")}
    answer = servable.recommend(player, history, k, wanted, overlay=since)

    owned = {servable.artifact.items[c] for c in servable.artifact.history(player or "nobody")}
    hidden = owned.union(history, since["purchase"], since["play"], since["dislike"])
    may_be_shown = {
        game.game_id
        for game in servable.catalogue
        if game.game_id not in hidden and (wanted is None or passes(game, wanted))
    }
    shown = [item.game_id for item in answer.items]
    assert set(shown) <= may_be_shown
    assert len(shown) == len(set(shown)) == min(k, len(may_be_shown))
    assert answer.underfilled == (len(shown) < k)
    scores = [item.score for item in answer.items]
    assert all(map(math.isfinite, scores))
    assert scores == sorted(scores, reverse=True)


@settings(deadline=None)  # the machine may be busy; speed is measured in benchmarks/
@given(data=st.data())
def test_a_least_score_drops_the_tail_and_nothing_else(servable, data):
    history = data.draw(st.lists(st.sampled_from(items(servable)), max_size=10))
    bar = data.draw(st.floats(-2, 2, width=32))
    whole = servable.recommend(None, history, 100)
    answer = servable.recommend(None, history, 100, min_score=bar)
    assert answer.items == tuple(item for item in whole.items if item.score >= bar)


@settings(deadline=None)  # the machine may be busy; speed is measured in benchmarks/
@given(data=st.data())
def test_an_older_model_ranks_what_it_knows_before_what_it_does_not(servable, data):
    known = data.draw(st.lists(st.sampled_from(servable.artifact.items), max_size=30, unique=True))
    new = [f"newer-{number}" for number in range(data.draw(st.integers(0, 10)))]
    catalogue = np.array(sorted(known + new) or ["newer"], dtype=np.str_)
    rows = data.draw(
        st.lists(
            st.lists(st.booleans(), min_size=len(catalogue), max_size=len(catalogue)),
            min_size=1,
            max_size=5,
        )
    )
    histories = csr_matrix(np.array(rows, dtype=np.float32))
    scores = Translated(servable.artifact, catalogue).predict(histories)
    assert scores.shape == histories.shape
    assert np.isfinite(scores).all()
    is_known = np.isin(catalogue, known)
    if is_known.any() and not is_known.all():
        assert (scores[:, ~is_known].max(axis=1) < scores[:, is_known].min(axis=1)).all()
