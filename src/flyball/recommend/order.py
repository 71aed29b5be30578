"""Whether the order of events says anything: asked before a sequence model is tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest

if TYPE_CHECKING:
    from flyball.recommend.interactions import Interactions

MAX_ROWS = 50_000
"""Rows that are looked at: users are drawn until there are so many."""

MAX_LENGTH = 200
"""Of each user, their newest items so many: no user is to outweigh the rest."""

MIN_STEPS = 50
"""Steps from one item to the next, below which nothing can be told."""

_PRIORS = (10.0, 100.0, 1000.0)
"""Steps that popularity weighs as much as; the best of them is the statistic."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTest:
    """How well each next item is foretold by the one before, in true and in shuffled order.

    Attributes:
        observed: mean log2 of how much likelier the next item is for knowing the one before: their
            mutual information, as far as it holds on users that were not counted.
        shuffled: the same with each user's items shuffled, mean over the permutations.
        deviation: its standard deviation over the permutations.
        p_value: how likely it is that order without meaning looks so meaningful.
        permutations: how many.
        steps: how many next items were foretold.
        users: of how many users.
    """

    observed: float
    shuffled: float
    deviation: float
    p_value: float
    permutations: int
    steps: int
    users: int

    @property
    def gain(self) -> float:
        """The effect, in bits for each next item: what knowing the order saves."""
        return self.observed - self.shuffled


@dataclass(frozen=True, slots=True)
class _Sequences:
    """Events sorted by user: whose they are, which half of the users they are in, and the items."""

    users: Ints
    halves: Ints
    items: Ints
    n_items: int


def order_test(
    data: Interactions, *, seed: int, permutations: int = 199, max_rows: int = MAX_ROWS
) -> OrderTest | None:
    """Test whether the order of each user's items has structure (a permutation test).

    The next item is foretold by first-order transitions with a popularity prior, counted in one
    half of the users and judged on the other, both ways. The statistic is the mean of log2 of
    (n_ij + a p_j) / (n_i + a) / p_j, where p_j is how often j comes next at all. Under the null
    hypothesis a user's items are exchangeable: each order is as likely. Then the true order ranks
    evenly among shuffled ones, whatever the statistic, so the share of false alarms is at most the
    level (Ernst, "Permutation methods: a basis for exact inference", Statistical Science 19, 2004).
    Items of one day have no known order: a fair draw orders them.

    Order has structure also where fashion changes with time, not only where one item leads to the
    next; popularity with a half-life knows the first, too. A small ``gain`` may be certain and yet
    not worth a sequence model.

    The same arguments give the same answer. Cost does not grow beyond ``max_rows``.

    Args:
        data: with ``days``.
        seed: of the sample, the ties and the permutations.
        permutations: at least 19; the smallest p-value is 1 / (permutations + 1).
        max_rows: about how many rows to look at; at least 1.

    Returns:
        None where nothing can be told: no days, or hardly any users with two items.

    Raises:
        InvalidRequest: a number is out of its range.
    """
    if permutations < 19 or max_rows < 1:
        raise InvalidRequest(
            f"permutations {permutations} must be at least 19 and max_rows {max_rows} at least 1"
        )
    if data.days is None:
        return None
    rng = np.random.default_rng(seed)
    events = _sequences(data, rng, max_rows)
    steps = int(np.count_nonzero(np.diff(events.users) == 0))
    if steps < MIN_STEPS:
        return None
    observed = _foretold(events, events.items)
    null = np.array(
        [_foretold(events, events.items[_shuffle(events.users, rng)]) for _ in range(permutations)]
    )
    as_good = int(np.count_nonzero(null >= observed - 1e-12))  # equal but for the order of a sum
    return OrderTest(
        observed=observed,
        shuffled=float(null.mean()),
        deviation=float(null.std(ddof=1)),
        p_value=(1 + as_good) / (1 + permutations),
        permutations=permutations,
        steps=steps,
        users=len(np.unique(events.users)),
    )


def _sequences(data: Interactions, rng: np.random.Generator, max_rows: int) -> _Sequences:
    """A sample of users with at least two items, each with their newest items in order."""
    lengths = np.diff(data.matrix.indptr).astype(np.int64)
    drawn = rng.permutation(np.flatnonzero(lengths >= 2))
    sizes = np.minimum(lengths[drawn], MAX_LENGTH)
    drawn = np.sort(drawn[np.cumsum(sizes) - sizes < max_rows])
    part = data.histories(drawn)
    users = np.repeat(np.arange(len(drawn)), part.lengths)
    days = np.zeros(len(users)) if part.days is None else part.days
    order = np.lexsort((rng.random(len(users)), days, users))
    left = np.cumsum(part.lengths)[users] - np.arange(len(users))  # 1 for a user's newest
    order = order[left <= MAX_LENGTH]
    halves = rng.permutation(np.arange(len(drawn)) % 2)
    items = part.matrix.indices[order].astype(np.int64)
    return _Sequences(users[order], halves[users[order]], items, part.n_items)


def _shuffle(users: Ints, rng: np.random.Generator) -> Ints:
    """A uniform permutation of each user's places."""
    return np.argsort(users + rng.random(len(users)))


def _foretold(events: _Sequences, items: Ints) -> float:
    """Mean log2 of how much likelier each next item is by the transitions of the other half."""
    stays = np.diff(events.users) == 0
    before, after = items[:-1][stays], items[1:][stays]
    half = events.halves[:-1][stays]
    _, pair = np.unique(before * events.n_items + after, return_inverse=True)
    both = _by_other_half(pair, half, len(pair))
    first = _by_other_half(before, half, events.n_items)
    usual = _by_other_half(after, half, events.n_items) + 1.0
    usual /= np.bincount(half, minlength=2)[1 - half] + events.n_items
    fits = (np.log2((both / usual + a) / (first + a)).mean() for a in _PRIORS)
    return float(max(fits))


def _by_other_half(codes: Ints, half: Ints, n: int) -> NDArray[np.float64]:
    """For each code below ``n``, how often it stands among those of the other half."""
    counts = np.bincount(half * n + codes, minlength=2 * n)
    return np.asarray(counts[(1 - half) * n + codes], dtype=np.float64)
