"""Two ranked lists in one: each user judges both versions at once, so few users suffice.

Team-draft interleaving (Radlinski, Kurup and Joachims, "How does clickthrough data reflect
retrieval quality?", CIKM 2008): in each round a coin says which version picks first, and each adds
the best of its items that is not there yet. What is clicked counts for the version that picked it.
Where both rank alike each place is either's with probability 1/2, so neither gains.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from flyball.errors import InvalidRequest

T = TypeVar("T", bound=Hashable)


class Team(StrEnum):
    """Whose pick an item is."""

    A = "a"
    B = "b"

    @property
    def other(self) -> Team:
        """The team that it plays against."""
        return Team.B if self is Team.A else Team.A


@dataclass(frozen=True, slots=True, kw_only=True)
class Interleaved(Generic[T]):
    """A list of two versions.

    Attributes:
        items: no item twice.
        teams: who picked each, as long as ``items``.
    """

    items: tuple[T, ...]
    teams: tuple[Team, ...]

    def credit(self, chosen: Sequence[T]) -> tuple[int, int]:
        """How many of the chosen items A picked, and B; each item once, others not at all."""
        wanted = set(chosen)
        teams = [t for item, t in zip(self.items, self.teams, strict=True) if item in wanted]
        return teams.count(Team.A), teams.count(Team.B)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What users prefer.

    Attributes:
        users: those whose picks were chosen at all: of A more often, of B, of both alike.
        for_a, for_b, ties: their numbers.
        share_b: B's part of the users who prefer one; 0.5 where nobody does.
        low, high: its interval.
        p_value: of "they are preferred alike", two-sided, exact.
    """

    users: int
    for_a: int
    for_b: int
    ties: int
    share_b: float
    low: float
    high: float
    p_value: float


def team_draft(a: Sequence[T], b: Sequence[T], k: int, *, seed: str) -> Interleaved[T]:
    """Mix the best of two lists; the same lists and seed give the same mix, in every process.

    A version that has nothing new left passes, and the other goes on alone.

    Args:
        a, b: the best first; an item that a list has twice counts at its first place.
        k: how many items, at least 1; fewer where the lists have no more.
        seed: of the coins: the answer's id, so that no two requests share them.

    Raises:
        InvalidRequest: ``k`` is below 1.
    """
    if k < 1:
        raise InvalidRequest(f"a list of {k} items cannot be mixed; ask for at least 1")
    lists = {Team.A: a, Team.B: b}
    places = dict.fromkeys(Team, 0)
    picked: dict[T, Team] = {}
    coins = _coins(seed)
    while len(picked) < k:
        before = len(picked)
        first = Team.A if next(coins) else Team.B
        for team in (first, first.other):
            if len(picked) < k:
                _pick(team, lists[team], places, picked)
        if len(picked) == before:
            break
    return Interleaved(items=tuple(picked), teams=tuple(picked.values()))


def _pick(team: Team, items: Sequence[T], places: dict[Team, int], picked: dict[T, Team]) -> None:
    while places[team] < len(items):
        item = items[places[team]]
        places[team] += 1
        if item not in picked:
            picked[item] = team
            return


def _coins(seed: str) -> Iterator[bool]:
    """Fair coins without an end."""
    block = 0
    while True:
        content = f"{block}\x00{seed}".encode("utf-8", "surrogatepass")
        bits = int.from_bytes(blake2b(content, digest_size=32).digest(), "big")
        yield from (bool(bits >> shift & 1) for shift in range(256))
        block += 1


def preference(for_a: ArrayLike, for_b: ArrayLike, *, confidence: float = 0.95) -> Preference:
    """Which version's picks users choose, each user with one vote.

    The sign test: a user's vote is the version of which they chose more items, however many lists
    they were shown. So one busy user counts no more than another, and their clicks need not be
    independent. Interval: Clopper and Pearson, Biometrika 26, 1934.

    Args:
        for_a, for_b: shape (n,), of each user the credit of A and of B over all their lists.

    Raises:
        InvalidRequest: the shapes differ, a credit is negative or not finite, or ``confidence`` is
            out of range.
    """
    a, b = np.asarray(for_a, dtype=np.float64), np.asarray(for_b, dtype=np.float64)
    sound = a.shape == b.shape and a.ndim == 1 and np.isfinite(a).all() and np.isfinite(b).all()
    if not sound or (a < 0).any() or (b < 0).any():
        raise InvalidRequest(
            f"credits of shapes {a.shape} and {b.shape} must be of the same users, finite and not "
            "negative"
        )
    if not 0.0 < confidence < 1.0:
        raise InvalidRequest(f"confidence {confidence} must lie between 0 and 1, e.g. 0.95")
    chose = (a > 0) | (b > 0)
    votes_a, votes_b = int((a > b).sum()), int((b > a).sum())
    users, decided = int(chose.sum()), votes_a + votes_b
    low, high, p_value = 0.0, 1.0, 1.0
    if decided:
        test = binomtest(votes_b, decided, 0.5)
        interval = test.proportion_ci(confidence_level=confidence, method="exact")
        low, high, p_value = float(interval.low), float(interval.high), float(test.pvalue)
    return Preference(
        users=users,
        for_a=votes_a,
        for_b=votes_b,
        ties=users - decided,
        share_b=votes_b / decided if decided else 0.5,
        low=low,
        high=high,
        p_value=p_value,
    )
