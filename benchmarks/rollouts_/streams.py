"""Made traffic of one rollout, request by request, and what each second of it showed.

Every request is simulated: whose it is (a population in which few users ask very often), whether it
failed, how long it took, what followed. Nothing is stable: load follows the hour and swings from
minute to minute, both versions fail together in outages and are slow together in bursts, and users
differ in how often they fail, wait and click. Versions differ by the one factor of the scenario.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flyball.domain.judging import Measure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rng = np.random.Generator

SHARES = (0.05, 0.25, 0.5)
RATE = 100.0
USERS = 40_000
CLICKS, PURCHASES = 0.05, 0.005
MEDIAN_S, SPREAD = 0.02, 0.4
_TABLE = 1 << 20


@dataclass(frozen=True)
class Scenario:
    """How the challenger differs: factors on the champion's figures.

    Attributes:
        name: for the tables.
        measure: what the other judges look at; None: at everything (a healthy version).
        errors, latency, clicks: factors.
    """

    name: str
    measure: Measure | None = None
    errors: float = 1.0
    latency: float = 1.0
    clicks: float = 1.0


HEALTHY = Scenario("healthy")
BAD = (
    Scenario("errors 2x", Measure.FAILED, errors=2.0),
    Scenario("errors 5x", Measure.FAILED, errors=5.0),
    Scenario("errors 20x", Measure.FAILED, errors=20.0),
    Scenario("p95 +30%", Measure.SLOW, latency=1.3),
    Scenario("clicks -10%", Measure.CLICKED, clicks=0.9),
    Scenario("clicks -30%", Measure.CLICKED, clicks=0.7),
)


@dataclass(frozen=True)
class Population:
    """Users, the same in every rollout; which version they get is drawn anew.

    Attributes:
        asking: user numbers, each as often as that user asks (of ``_TABLE`` requests).
        failing, waiting, clicking: factors by user, 1 on average over users.
    """

    asking: Ints
    failing: Floats
    waiting: Floats
    clicking: Floats

    @classmethod
    def made(cls, seed: int = 0) -> Population:
        """Requests by user are lognormal: the busiest percent of users sends a fifth of them."""
        rng = np.random.default_rng(seed)
        activity = rng.lognormal(0.0, 1.4, USERS)
        asking = rng.choice(USERS, _TABLE, p=activity / activity.sum())
        return cls(
            asking=asking,
            failing=rng.lognormal(-0.5, 1.0, USERS),
            waiting=rng.lognormal(0.0, 0.3, USERS),
            clicking=rng.gamma(2.0, 0.5, USERS),
        )


@dataclass(frozen=True)
class Stream:
    """One rollout by the second; index 0 the champion, 1 the challenger.

    Attributes:
        step: shape (seconds,), which of ``SHARES`` was in force.
        requests, errors, clicks: shape (2, seconds).
        firsts: by measure, shape (2, seconds): units to which it happened for the first time.
        latency: (seconds it took, second in which, which version) of every answer, in order.
        failed: shape (challenger's requests,), in order.
        sales: (second, step first seen in, version then, user, price) of every purchase that a
            user made in the step in which it was first seen, by the version it had then.
        slow_above_s: what counts as slow.
    """

    step: Ints
    requests: Ints
    errors: Ints
    clicks: Ints
    firsts: dict[Measure, Ints]
    latency: tuple[Floats, Ints, Ints]
    failed: NDArray[np.bool_]
    sales: tuple[Ints, Ints, Ints, Ints, Floats]
    slow_above_s: float = field(default=MEDIAN_S * float(np.exp(1.645 * 0.5)))

    @property
    def seconds(self) -> int:
        """How long it lasts."""
        return len(self.step)


def made(scenario: Scenario, people: Population, rng: Rng, *, step_s: int) -> Stream:
    """One rollout, ``step_s`` seconds in each of ``SHARES``."""
    seconds = step_s * len(SHARES)
    step = np.repeat(np.arange(len(SHARES)), step_s)
    second = np.repeat(np.arange(seconds), rng.poisson(_load(rng, seconds)))
    user = people.asking[rng.integers(0, _TABLE, len(second))]
    own = rng.random(USERS)[user] < np.asarray(SHARES)[step[second]]
    arm = own.astype(np.int64)
    down, slow = _episodes(rng, seconds)
    share = np.exp(rng.uniform(np.log(0.001), np.log(0.02)))
    chance = share * people.failing[user] * np.where(own, scenario.errors, 1.0)
    failed = rng.random(len(user)) < 1 - (1 - np.minimum(chance, 1.0)) * (1 - down[second])
    took = MEDIAN_S * np.exp(SPREAD * rng.standard_normal(len(user)))
    took *= people.waiting[user] * slow[second] * np.where(own, scenario.latency, 1.0)
    taste = people.clicking[user] * np.where(own, scenario.clicks, 1.0)
    clicked = ~failed & (rng.random(len(user)) < CLICKS * taste)
    bought = ~failed & (rng.random(len(user)) < PURCHASES * people.clicking[user])
    limit = MEDIAN_S * float(np.exp(1.645 * 0.5))

    def firsts(where: NDArray[np.bool_]) -> Ints:
        at = np.flatnonzero(where)
        first = _first(user[at])
        return _counted(arm[at][first], second[at][first], seconds)

    happened = {
        Measure.SEEN: np.ones(len(user), np.bool_),
        Measure.FAILED: failed,
        Measure.SLOW: took > limit,
        Measure.CLICKED: clicked,
        Measure.PURCHASED: bought,
    }
    return Stream(
        step=step,
        requests=_counted(arm, second, seconds),
        errors=_counted(arm[failed], second[failed], seconds),
        clicks=_counted(arm[clicked], second[clicked], seconds),
        firsts={measure: firsts(where) for measure, where in happened.items()},
        latency=(took, second, arm),
        failed=failed[own],
        sales=_sales(user, step[second], bought, rng, second=second, arm=arm),
        slow_above_s=limit,
    )


def _load(rng: Rng, seconds: int) -> Floats:
    """Requests a second: the time of day, and swings that last a minute."""
    hour = 2 * np.pi * (rng.random() + np.arange(seconds) / 86_400)
    swings = np.repeat(rng.lognormal(-0.02, 0.2, seconds // 60 + 1), 60)[:seconds]
    return np.asarray(RATE * (1 + 0.5 * np.sin(hour)) * swings)


def _episodes(rng: Rng, seconds: int) -> tuple[Floats, Floats]:
    """By second: the share that fails in shared outages, and the factor of shared slowness."""
    down, slow = np.zeros(seconds), np.ones(seconds)
    for _ in range(rng.poisson(seconds / 1800)):
        start, length = rng.integers(0, seconds), rng.integers(60, 300)
        down[start : start + length] = rng.uniform(0.1, 0.6)
    for _ in range(rng.poisson(seconds / 600)):
        start, length = rng.integers(0, seconds), rng.integers(10, 60)
        slow[start : start + length] = rng.uniform(1.5, 4.0)
    return down, slow


def _first(users: Ints) -> Ints:
    """Where each user comes for the first time, ascending."""
    place = np.full(USERS, -1)
    place[users[::-1]] = np.arange(len(users))[::-1]
    return np.sort(place[place >= 0])


def _counted(arm: Ints, second: Ints, seconds: int) -> Ints:
    flat = np.bincount(arm * seconds + second, minlength=2 * seconds)
    return flat.reshape(2, seconds)


def _sales(
    user: Ints, step: Ints, bought: NDArray[np.bool_], rng: Rng, *, second: Ints, arm: Ints
) -> tuple[Ints, Ints, Ints, Ints, Floats]:
    began = np.full(USERS, -1)
    first = _first(user)
    began[user[first]] = step[first]
    at = np.flatnonzero(bought)
    at = at[step[at] == began[user[at]]]
    price = rng.lognormal(2.5, 0.8, len(at))
    return second[at], began[user[at]], arm[at], user[at], price
