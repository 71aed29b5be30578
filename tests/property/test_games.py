"""Whatever is asked of a games model, its answer is one a player can rely on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from flyball.games.business_rules import read_rules
from flyball.games.evaluation import Translated
from flyball.games.messages import Filters
from flyball.recommend import Ease, Histories, Popularity
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


NAMES = st.lists(st.sampled_from(GENRES), max_size=3)
TAGS = st.lists(st.sampled_from(["co-op", "Retro", "open-world", "no such tag"]), max_size=3)
DAYS = st.dates(date(1980, 1, 1), date(2024, 1, 1))


@st.composite
def filters(draw, games):
    return Filters(
        genres=draw(optional(NAMES)),
        platforms=draw(optional(st.lists(st.sampled_from(PLATFORMS), max_size=3))),
        tags=draw(optional(TAGS)),
        exclude_genres=draw(optional(NAMES)),
        exclude_tags=draw(optional(TAGS)),
        min_price=draw(optional(st.floats(0, 20))),
        max_price=draw(optional(st.floats(0, 80))),
        released_after=draw(optional(DAYS)),
        released_before=draw(optional(DAYS)),
        max_age_rating=draw(st.none() | st.none() | st.integers(0, 99)),
        exclude=draw(st.lists(st.sampled_from(games), max_size=20)),
    )


def any_of(wanted, names):
    return bool({name.strip().casefold() for name in wanted} & set(names))


def passes(game, wanted):
    """The filters, written down as they are promised."""
    price, day = game.price_usd, game.released
    return (
        (wanted.genres is None or any_of(wanted.genres, game.genres))
        and (wanted.platforms is None or any_of(wanted.platforms, game.platforms))
        and (wanted.tags is None or any_of(wanted.tags, game.tags))
        and not any_of(wanted.exclude_genres or (), game.genres)
        and not any_of(wanted.exclude_tags or (), game.tags)
        and (wanted.min_price is None or (price is not None and price >= wanted.min_price))
        and (wanted.max_price is None or (price is not None and price <= wanted.max_price))
        and (wanted.released_after is None or (day is not None and day > wanted.released_after))
        and (wanted.released_before is None or (day is not None and day < wanted.released_before))
        and wanted.max_age_rating is None  # nobody told the ages of these games
        and game.game_id not in wanted.exclude
    )


@st.composite
def rules(draw, games):
    """A shop's rules; a pin may be over, and a name may fit no game."""
    pinned = draw(st.lists(st.sampled_from(games), max_size=4, unique=True))
    places = draw(st.permutations(range(1, 9)))
    pins = [
        {
            "game_id": game,
            "place": place,
            **draw(st.sampled_from([{}, {}, {"end": "2026-01-01T00:00:00Z"}])),
        }
        for game, place in zip(pinned, places, strict=False)
    ]
    boosts = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "games": st.lists(st.sampled_from(games), min_size=1, max_size=3),
                    "genres": NAMES,
                    "factor": st.floats(0.01, 100),
                }
            ),
            max_size=2,
        )
    )
    hidden = draw(st.lists(st.sampled_from(games), max_size=5))
    diversity = draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))
    return {"hidden": hidden, "diversity": diversity, "pins": pins, "boosts": boosts}


@dataclass
class Asked:
    """One question, and what its answer may hold by the letter of the promises."""

    arguments: tuple
    wishes: dict
    may_be_shown: set
    pins: dict
    barred: dict


@st.composite
def questions(draw, servable):
    games = items(servable)
    some = st.lists(st.sampled_from(games), max_size=15)
    player = draw(optional(st.sampled_from(["player-0", "player-31", "player-59", "nobody"])))
    history, k = draw(some), draw(st.integers(1, 60))
    wanted = draw(optional(filters(games)))
    since = {kind: frozenset(draw(some)) for kind in ("purchase", "play", "dislike", "click")}
    document = draw(optional(rules(games)))
    recorded = servable.artifact.history(player or "nobody")
    owned = {servable.artifact.items[c] for c in recorded.items}
    owned = owned.union(history, since["purchase"], since["play"])
    hidden = since["dislike"].union([] if document is None else document["hidden"])
    barred = {}
    for game in servable.catalogue:
        if game.game_id in owned:
            barred[game.game_id] = "owned"
        elif game.game_id in hidden:
            barred[game.game_id] = "hidden"
        elif wanted is not None and not passes(game, wanted):
            barred[game.game_id] = "filtered"
    pins = [] if document is None else [pin for pin in document["pins"] if "end" not in pin]
    wishes = {
        "overlay": since,
        "rules": None if document is None else read_rules(document),
        "diversity": draw(st.sampled_from([None, None, 0.0, 0.5])),
        "now": datetime(2026, 5, 1, tzinfo=UTC),
    }
    may_be_shown = set(servable.artifact.items) - set(barred)
    return Asked((player, history, k, wanted), wishes, may_be_shown, pins, barred)


def plain(asked):
    """Whether nothing but the model orders the list."""
    found = asked.wishes["rules"]
    knob = asked.wishes["diversity"]
    diversity = (0.0 if found is None else found.diversity) if knob is None else knob
    return diversity == 0 and (found is None or not (found.boosts or found.pins))


@settings(deadline=None)  # the machine may be busy; speed is measured in benchmarks/
@given(data=st.data())
def test_an_answer_holds_only_what_may_be_shown_and_all_of_it_that_was_asked_for(servable, data):
    asked = data.draw(questions(servable))
    answer = servable.recommend(*asked.arguments, **asked.wishes)
    k = asked.arguments[2]
    shown = [item.game_id for item in answer.items]
    assert set(shown) <= asked.may_be_shown
    assert len(shown) == len(set(shown)) == min(k, len(asked.may_be_shown))
    assert answer.underfilled == (len(shown) < k)
    scores = [item.score for item in answer.items]
    assert all(0 < score < 1 for score in scores)
    for item in answer.items:
        shares = [reason.share for reason in item.reasons]
        assert sum(shares) + item.rest == pytest.approx(1.0 if shares else 0.0)
    if plain(asked):
        assert scores == sorted(scores, reverse=True)


@settings(deadline=None)  # the machine may be busy; speed is measured in benchmarks/
@given(data=st.data())
def test_a_pinned_game_that_may_be_shown_stands_at_its_place(servable, data):
    asked = data.draw(questions(servable))
    k = asked.arguments[2]
    shown = [item.game_id for item in servable.recommend(*asked.arguments, **asked.wishes).items]
    allowed = [pin for pin in asked.pins if pin["game_id"] in asked.may_be_shown]
    for pin in allowed:
        if len(asked.may_be_shown) >= max(other["place"] for other in allowed):
            assert (pin["place"] > k) or shown[pin["place"] - 1] == pin["game_id"]
        elif k >= len(asked.may_be_shown):
            assert pin["game_id"] in shown


@settings(deadline=None)  # the machine may be busy; speed is measured in benchmarks/
@given(data=st.data())
def test_why_not_agrees_with_the_list_for_every_game(servable, data):
    asked = data.draw(questions(servable))
    player, history, k, wanted = asked.arguments
    answer = servable.recommend(*asked.arguments, **asked.wishes)
    told = {item.game_id: item for item in answer.items}
    places = {item.game_id: place for place, item in enumerate(answer.items, 1)}
    further = []
    for game_id in servable.artifact.items:
        fate = servable.why_not(player, game_id, history, k, wanted, **asked.wishes)
        if game_id in asked.barred:
            assert (fate.verdict, fate.rank) == (asked.barred[game_id], None)
        elif game_id in places:
            assert (fate.verdict, fate.rank) == ("recommended", places[game_id])
            assert fate.score == told[game_id].score
            assert fate.reasons == told[game_id].reasons
        else:
            assert fate.verdict == "ranked"
            further.append(fate.rank)
    assert sorted(further) == list(range(len(told) + 1, len(asked.may_be_shown) + 1))


@settings(deadline=None)  # the machine may be busy; speed is measured in benchmarks/
@given(data=st.data())
def test_a_least_score_drops_the_tail_and_nothing_else(servable, data):
    history = data.draw(st.lists(st.sampled_from(items(servable)), max_size=10))
    bar = data.draw(st.floats(0, 0.5))
    whole = servable.recommend(None, history, 100)
    answer = servable.recommend(None, history, 100, min_score=bar)
    assert answer.items == [item for item in whole.items if item.score >= bar]


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
    histories = Histories(csr_matrix(np.array(rows, dtype=np.float32)))
    scores = Translated(servable.artifact, catalogue).predict(histories)
    assert scores.shape == histories.matrix.shape
    assert np.isfinite(scores).all()
    is_known = np.isin(catalogue, known)
    if is_known.any() and not is_known.all():
        assert (scores[:, ~is_known].max(axis=1) < scores[:, is_known].min(axis=1)).all()
