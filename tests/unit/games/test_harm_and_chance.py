"""What is judged of segments and of disturbed histories: chance passes, harm does not."""

from __future__ import annotations

import numpy as np

from flyball.games.catalogue import Catalogue, Game
from flyball.games.checks import robustness, segments
from flyball.games.checks.segments import item_groups
from flyball.recommend import Popularity, PopularityConfig
from flyball.recommend.groups import activity
from flyball.recommend.segments import by_user
from ranking_worlds import random_world


class TestSegments:
    lengths = np.arange(400) % 8 + 1

    def verdicts(self, before, after, allowed=0.1):
        masks = activity(self.lengths, groups=8)
        ours, theirs = ({"activity": by_user(v, masks)} for v in (after, before))
        return [row["verdict"] for row in segments.losses(ours, theirs, allowed)]

    def test_chance_fails_one_in_twenty_at_most(self):
        """Simulated: eight segments, two models that differ by chance only, no loss allowed."""
        rng = np.random.default_rng(0)
        failed = sum(
            "fail" in self.verdicts(*rng.beta(0.4, 0.8, (2, 400)), allowed=0.0) for _ in range(200)
        )
        assert failed <= 12  # 2.5% are expected

    def test_one_segment_that_loses_much_fails(self):
        rng = np.random.default_rng(0)
        before = rng.beta(2, 2, 400)
        after = np.where(self.lengths == 3, before * 0.5, before)
        assert self.verdicts(before, after).count("fail") == 1

    def test_a_loss_within_what_is_allowed_passes(self):
        before = np.random.default_rng(0).beta(2, 2, 400)
        assert "fail" not in self.verdicts(before, before * 0.95)

    def test_what_is_not_known_of_any_game_is_no_segment(self):
        games = Catalogue((Game(game_id="a", title="A", genres=("rpg",)),))
        assert set(item_groups(["a", "unheard-of"], games)) == {"genre"}

    def test_games_may_be_of_several_kinds(self):
        games = Catalogue(
            (
                Game(game_id="a", title="A", platforms=("linux", "windows"), price_usd=0.0),
                Game(game_id="b", title="B", platforms=("windows",), price_usd=59.0),
            )
        )
        found = item_groups(["a", "b"], games)
        assert found["platform"]["windows"].tolist() == [True, True]
        assert found["platform"]["linux"].tolist() == [True, False]
        assert {k: v.tolist() for k, v in found["price"].items()} == {
            "free": [True, False],
            "40 and more": [False, True],
        }


class TestRobustness:
    def test_what_learnt_histories_by_heart_fails(self):
        fold, _ = random_world(3, n_users=300, n_items=40)
        known = {row.tobytes(): n for n, row in enumerate(fold.train.matrix.toarray())}

        class ByHeart:
            def predict(self, histories):
                scores = np.zeros(histories.matrix.shape, dtype=np.float32)
                for place, row in enumerate(histories.matrix.toarray()):
                    found = known.get(row.tobytes())
                    if found is not None:
                        scores[place] = fold.test[found].toarray()[0]
                return scores

        baseline = Popularity.fit(fold.train, PopularityConfig())
        rows = robustness.losses(ByHeart(), baseline, fold)
        assert [row["verdict"] for row in rows] == ["fail", "fail", "fail"]
        steady = robustness.losses(baseline, baseline, fold)
        assert [row["verdict"] for row in steady] == ["pass", "pass", "pass"]
        assert all(row["beyond it"] == 0.0 for row in steady)
