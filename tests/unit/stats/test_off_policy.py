"""Evidence from logs: against worlds whose truth is known, and silent where there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from flyball.errors import InvalidRequest
from flyball.stats.experiments.off_policy import Logged, doubly_robust, snips

ACTIONS = 6


class World:
    """Users with a taste that both shapes their rewards and varies with the action."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.chances = rng.uniform(0.05, 0.5, (4, ACTIONS))  # of reward, by context and action
        self.logging = rng.dirichlet(np.full(ACTIONS, 4.0), 4)
        self.target = rng.dirichlet(np.full(ACTIONS, 2.0), 4)

    @property
    def truth(self) -> float:
        """Candidate less baseline; contexts are equally frequent."""
        return float((self.chances * (self.target - self.logging)).sum(axis=1).mean())

    def logged(self, users, rng, *, model=0.0, supported=ACTIONS):
        """Choices of users with a mood of their own; ``model`` 1 expects exactly right."""
        each = 1 + rng.poisson(4, users)
        who = np.repeat(np.arange(users), each)
        mood = rng.normal(0, 0.04, users)[who]
        context = rng.integers(0, 4, len(who))
        logging = self.logging.copy()
        logging[:, supported:] = 0.0
        logging /= logging.sum(axis=1, keepdims=True)
        draws = rng.random(len(who))[:, None] > np.cumsum(logging[context], axis=1)
        action = np.minimum(draws.sum(axis=1), ACTIONS - 1)
        chance = np.clip(self.chances[context, action] + mood, 0, 1)
        expects = model * self.chances + (1 - model) * 0.9
        return Logged(
            users=who,
            rewards=(rng.random(len(who)) < chance).astype(float),
            propensities=logging[context, action],
            target=self.target[context, action],
            expected=expects[context, action],
            expected_target=(self.target * expects).sum(axis=1)[context],
            expected_logging=(logging * expects).sum(axis=1)[context],
        )


@pytest.mark.parametrize(
    ("estimate", "model"), [(snips, 0.0), (doubly_robust, 1.0), (doubly_robust, 0.0)]
)
def test_covers_the_truth_as_often_as_it_claims(estimate, model):
    """Also where the model is wrong everywhere: the propensities are right."""
    world, rng, runs, covered, off = World(3), np.random.default_rng(4), 500, 0, []
    for _ in range(runs):
        found = estimate(world.logged(300, rng, model=model))
        assert found.insufficient == ""
        covered += found.low <= world.truth <= found.high
        off.append(found.difference - world.truth)
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], runs, 0.95)
    assert low <= covered <= high
    assert abs(np.mean(off)) < 4 * np.std(off) / math.sqrt(runs)


def test_covers_the_truth_where_candidate_and_log_seldom_agree():
    """Heavy weights, of a deterministic candidate among items shown by small chance."""
    rng, runs, covered, judged = np.random.default_rng(5), 500, 0, 0
    rewards = np.array([0.30, 0.36])
    for _ in range(runs):
        users = np.repeat(np.arange(900), 4)
        explored = rng.random(3_600) < 0.05
        found = snips(
            Logged(
                users=users,
                rewards=(rng.random(3_600) < rewards[explored.astype(int)]).astype(float),
                propensities=np.where(explored, 0.05, 0.95),
                target=explored.astype(float),
            )
        )
        judged += found.insufficient == ""
        covered += found.low <= 0.06 * 0.95 <= found.high
    assert judged > 0.97 * runs  # a few look unsupported by chance, and are refused
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], runs, 0.95)
    assert low <= covered <= high


def test_agrees_with_resampling_users():
    logged = World(6).logged(500, np.random.default_rng(7))
    found = snips(logged)
    rng, differences = np.random.default_rng(8), []
    rows = [np.flatnonzero(logged.users == user) for user in range(500)]
    for _ in range(800):
        some = np.concatenate([rows[user] for user in rng.integers(0, 500, 500)])
        weights, rewards = logged.weights[some], logged.rewards[some]
        differences.append((weights * rewards).sum() / weights.sum() - rewards.mean())
    assert found.error == pytest.approx(np.std(differences), rel=0.1)


def test_is_narrower_with_a_model_that_knows_the_rewards():
    logged = World(9).logged(800, np.random.default_rng(10), model=1.0)
    assert logged.expected is not None
    surprises = np.random.default_rng(11).normal(0, 0.02, len(logged.users))
    known = replace(logged, rewards=logged.expected + surprises)
    assert doubly_robust(known).error < 0.9 * snips(known).error


def test_of_the_logging_policy_itself_is_no_difference():
    logged = World(11).logged(200, np.random.default_rng(12))
    same = Logged(
        users=logged.users, rewards=logged.rewards, propensities=logged.propensities,
        target=logged.propensities,
    )  # fmt: skip
    found = snips(same)
    assert found.difference == pytest.approx(0.0, abs=1e-12)
    assert found.support == pytest.approx(1.0)


def test_does_not_depend_on_the_order_of_rows_or_the_names_of_users():
    logged = World(13).logged(150, np.random.default_rng(14))
    order = np.random.default_rng(15).permutation(len(logged.users))
    names = np.array([f"user {user}" for user in logged.users])
    shuffled = Logged(
        users=names[order], rewards=logged.rewards[order],
        propensities=logged.propensities[order], target=logged.target[order],
    )  # fmt: skip
    first, second = snips(logged), snips(shuffled)
    assert (second.difference, second.error) == pytest.approx((first.difference, first.error))


def test_choices_of_one_user_count_as_one_where_they_are_alike():
    """Twenty choices a user, all alike: as uncertain as one, not as twenty."""
    rng = np.random.default_rng(16)
    keen = rng.random(400) < 0.5
    rows = {"propensities": np.full(400, 0.5), "rewards": keen.astype(float),
            "target": np.where(rng.random(400) < 0.5, 0.9, 0.1)}  # fmt: skip
    once = snips(Logged(users=np.arange(400), **rows))
    often = {name: np.repeat(values, 20) for name, values in rows.items()}
    grouped = snips(Logged(users=np.repeat(np.arange(400), 20), **often))
    assert (grouped.difference, grouped.error) == pytest.approx((once.difference, once.error))
    alone = snips(Logged(users=np.arange(8_000), **often))
    assert alone.error < 0.3 * grouped.error


class TestInsufficientEvidence:
    def test_where_few_users_saw_what_the_candidate_shows(self):
        users = np.arange(5_000)
        target = (users < 60).astype(float)
        found = snips(
            Logged(users=users, rewards=target, propensities=np.full(5_000, 0.01), target=target)
        )
        assert "60 users were shown" in found.insufficient
        assert (found.candidate, found.low, found.high) == (None, None, None)

    def test_where_a_few_weigh_as_much_as_all_others(self):
        propensities = np.full(1_000, 0.9)
        propensities[:5] = 1e-4
        found = snips(
            Logged(
                users=np.arange(1_000),
                rewards=np.ones(1_000),
                propensities=propensities,
                target=np.full(1_000, 0.9),
            )
        )
        assert "are worth 5" in found.insufficient

    def test_where_one_user_has_much_of_all_weight(self):
        users = np.concatenate([np.zeros(1_600, int), np.arange(1, 12_000)])
        fair = np.full(len(users), 0.5)
        found = snips(Logged(users=users, rewards=fair, propensities=fair, target=fair))
        assert "one user has 12% of all weight" in found.insufficient

    def test_where_the_candidate_shows_what_never_could_be(self):
        logged = World(17).logged(2_000, np.random.default_rng(18), supported=4)
        found = snips(logged)
        assert found.support < 0.95
        assert "could be shown; explore among more" in found.insufficient

    def test_where_the_propensities_are_wrong(self):
        logged = World(19).logged(2_000, np.random.default_rng(20))
        halved = Logged(
            users=logged.users, rewards=logged.rewards, propensities=logged.propensities / 2,
            target=logged.target,
        )  # fmt: skip
        assert "the logged probabilities are wrong" in snips(halved).insufficient

    def test_where_the_candidate_never_agrees(self):
        fair = np.full(300, 0.5)
        found = snips(
            Logged(users=np.arange(300), rewards=fair, propensities=fair, target=fair * 0)
        )
        assert "0 users were shown" in found.insufficient
        assert found.effective_users == 0.0


class TestWhatItRefuses:
    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"propensities": [0.0, 0.5]}, r"\(0, 1\]"),
            ({"propensities": [1.1, 0.5]}, r"\(0, 1\]"),
            ({"target": [-0.1, 0.5]}, r"\[0, 1\]"),
            ({"rewards": [np.nan, 0.5]}, "2 finite numbers"),
            ({"rewards": [1.0]}, "2 finite numbers"),
            ({"expected": [1.0, 1.0]}, "both choices, or of neither"),
        ],
    )
    def test_rows_that_cannot_be_weighed(self, fields, reason):
        sound = {"rewards": [0, 1], "propensities": [0.5, 0.5], "target": [0.5, 0.5]}
        with pytest.raises(InvalidRequest, match=reason):
            Logged(users=[1, 2], **(sound | fields))

    def test_no_rows(self):
        with pytest.raises(InvalidRequest, match="no logged choice"):
            Logged(users=[], rewards=[], propensities=[], target=[])

    def test_a_model_that_is_not_there(self):
        logged = Logged(users=[1], rewards=[1], propensities=[0.5], target=[1])
        with pytest.raises(InvalidRequest, match="use snips"):
            doubly_robust(logged)
