"""Questions that are answered in one pass get the answers that each would get by itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_games import filters, items, optional, rules

from flyball.games.answering import Question
from flyball.games.business_rules import read_rules
from flyball.recommend import Ease, Popularity
from flyball.testing.games import packaged, some_purchases

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PLAYERS = ["player-0", "player-31", "player-59", "nobody"]


@pytest.fixture(scope="module", params=[Ease, Popularity], ids=lambda model: model.family)
def servable(request, tmp_path_factory):
    return packaged(request.param, tmp_path_factory.mktemp("together"), some_purchases())


@st.composite
def questions(draw, games, documents):
    """One question; rules are of few documents, as those of a shop are."""
    some = st.lists(st.sampled_from(games), max_size=12)
    kinds = ("purchase", "play", "dislike", "click")
    return Question(
        draw(optional(st.sampled_from(PLAYERS))),
        draw(some),
        draw(st.integers(1, 60)),
        draw(optional(filters(games))),
        {
            "overlay": {kind: frozenset(draw(some)) for kind in kinds},
            "rules": draw(st.sampled_from([None, *documents])),
            "now": draw(st.sampled_from([NOW, None])),
            "diversity": draw(st.sampled_from([None, None, 0.0, 0.5, 1.0])),
            "min_score": draw(st.sampled_from([None, None, 0.0, 0.05, 0.3, 1.0])),
        },
    )


def told(answer):
    """An answer without the shares of its reasons."""
    return answer.underfilled, [
        (
            item.game_id,
            item.title,
            item.score,
            item.exact,
            [(reason.game_id, reason.kind) for reason in item.reasons],
        )
        for item in answer.items
    ]


def shares(item):
    """To be compared but for the last digits: they hang on how many games the longest list has."""
    return [*(reason.share for reason in item.reasons), item.rest]


@settings(max_examples=60)
@given(data=st.data())
@pytest.mark.parametrize("popular", [False, True])
def test_whatever_the_others_ask(servable, popular, data):
    games = items(servable)
    documents = [read_rules(each) for each in data.draw(st.lists(rules(games), max_size=2))]
    asked = data.draw(st.lists(questions(games, documents), min_size=2, max_size=9))
    found = servable.answers(asked, popular=popular)
    assert len(found) == len(asked)
    for question, answer in zip(asked, found, strict=True):
        [alone] = servable.answers([question], popular=popular)
        assert told(answer) == told(alone)
        for one, other in zip(answer.items, alone.items, strict=True):
            assert shares(one) == pytest.approx(shares(other), abs=1e-12)
