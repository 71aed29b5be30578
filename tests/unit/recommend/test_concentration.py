"""On what the places of all lists are spent."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.errors import InvalidRequest
from flyball.recommend import rank
from flyball.recommend.concentration import (
    by_owner,
    long_tail,
    popularity_had,
    shown_share,
    top_share,
)
from ranking_worlds import Fixed, fold_of


def a_ranking():
    """Three users; everybody is shown items 2 and 3, which one user and nobody has."""
    train = [[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 1, 0, 0, 0]]
    test = [[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]]
    fold = fold_of(train, test)
    return fold, rank(Fixed([0, 1, 5, 4, 2]), fold, depth=2)


class TestTheLongTail:
    def test_is_the_least_popular_with_its_share_of_interactions(self):
        counts = np.array([80, 10, 5, 5, 0])
        assert long_tail(counts).tolist() == [False, True, True, True, True]

    def test_of_nothing_is_everything(self):
        assert long_tail(np.zeros(3, dtype=int)).all()


class TestPlaces:
    def test_a_share_is_of_all_places(self):
        _, ranking = a_ranking()
        # lists: (2, 3), (3, 4), (2, 3)
        assert shown_share(ranking, np.array([0, 0, 1, 0, 0], bool), 2) == pytest.approx(2 / 6)
        assert top_share(ranking, 2, n=1) == pytest.approx(3 / 6)
        assert top_share(ranking, 2) == 1.0

    def test_what_players_have_is_as_popular_as_counted(self):
        fold, ranking = a_ranking()
        found = popularity_had(ranking, fold.train.matrix)
        assert found.tolist() == pytest.approx([(1 + 2 / 3) / 2, (1 + 1 / 3) / 2, (1 + 2 / 3) / 2])


class TestOwners:
    def test_shares_of_places_and_interactions(self):
        _, ranking = a_ranking()
        first, second = by_owner(ranking, ["old", "old", "new", "new", None], 2)
        assert (first.owner, first.shown) == ("new", pytest.approx(5 / 6))
        assert first.had == pytest.approx(1 / 6)
        assert first.ratio == pytest.approx(5.0)
        assert (second.owner, second.shown, second.ratio) == ("old", 0.0, 0.0)

    def test_what_nobody_has_gives_no_ratio(self):
        _, ranking = a_ranking()
        found = {one.owner: one for one in by_owner(ranking, ["a", "a", "a", "b", "a"], 2)}
        assert found["b"].ratio is None
        assert found["b"].items == 0

    def test_refuses_owners_of_another_catalogue(self):
        with pytest.raises(InvalidRequest, match="2 owners"):
            by_owner(a_ranking()[1], ["a", "b"], 2)
