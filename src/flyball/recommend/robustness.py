"""Histories that were disturbed: with gaps, with noise, and such as nobody expects.

A model is asked about them as they are; what a user really has stays out of their list, so that
all that can change is how well the model tells what they would take next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest
from flyball.recommend.histories import Histories, History

if TYPE_CHECKING:
    from flyball.recommend.protocols import Scorer

Disturbance = Callable[[Histories, np.random.Generator], Histories]


def dropped(histories: Histories, share: float, rng: np.random.Generator) -> Histories:
    """Each without some of its items: each goes with chance ``share``; one at least stays.

    Raises:
        InvalidRequest: the share is not in [0, 1].
    """
    _require_share(share)
    draws = rng.random(histories.matrix.nnz)
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    best = np.full(len(histories), -np.inf)
    np.maximum.at(best, rows, draws)
    return histories.kept((draws >= share) | (draws == best[rows]))


def noisy(histories: Histories, share: float, rng: np.random.Generator) -> Histories:
    """Each with random items added: ``share`` of its length on average, any item alike.

    An item drawn that is there already, or twice, changes nothing. Hours and days of an added item
    are those of a random item of the same history.

    Raises:
        InvalidRequest: the share is not in [0, 1].
    """
    _require_share(share)
    lengths = histories.lengths
    extra = np.floor(share * lengths + rng.random(len(lengths))).astype(np.int64) * (lengths > 0)
    rows = np.repeat(np.arange(len(histories)), lengths)
    new_rows = np.repeat(np.arange(len(histories)), extra)
    starts = histories.matrix.indptr[:-1].astype(np.int64)
    like = starts[new_rows] + rng.integers(0, np.maximum(lengths, 1)[new_rows])
    columns = rng.integers(0, max(1, histories.n_items), len(new_rows))
    width = max(1, histories.n_items)
    cells = np.concatenate([rows * width + histories.matrix.indices, new_rows * width + columns])
    source = np.concatenate([np.arange(histories.matrix.nnz), like])
    distinct, first = np.unique(cells, return_index=True)  # what was there comes first, and stays
    source = source[first]
    indptr = np.searchsorted(distinct, np.arange(len(histories) + 1) * width)
    parts = (np.ones(len(distinct), np.float32), (distinct % width).astype(np.int32), indptr)
    return Histories(
        csr_matrix(parts, shape=histories.matrix.shape),
        None if histories.hours is None else histories.hours[source],
        None if histories.days is None else histories.days[source],
        histories.as_of,
    )


@dataclass(frozen=True, slots=True)
class Disturbed:
    """A model that sees disturbed histories; a ``Scorer``.

    Asked the same questions in the same order, a new one gives the same scores.

    Attributes:
        model: what scores.
        disturbance: what happens to the histories.
        rng: of the disturbance.
    """

    model: Scorer
    disturbance: Disturbance
    rng: np.random.Generator

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_items) of what is left of the histories; a new array."""
        return self.model.predict(self.disturbance(histories, self.rng))


def odd_histories(n_items: int, *, now: float | None) -> dict[str, Histories]:
    """Histories that no training data has, by what is odd of them.

    Args:
        n_items: at least 1.
        now: the newest day of the data; None where days are not known.
    """
    every = np.arange(n_items, dtype=np.int64)

    def of(
        items: NDArray[np.int64], hours: float | None = None, day: float | None = None
    ) -> Histories:
        n = len(items)
        filled = None if hours is None else np.full(n, hours, dtype=np.float32)
        days = None if day is None else np.full(n, day, dtype=np.float32)
        return Histories.of([History(items, filled, days, now)], n_items)

    one = every[:1]
    found = {
        "nothing": of(every[:0]),
        "everything": of(every),
        "hours not known": of(one, np.nan),
        "no hours": of(one, 0.0),
        "endless hours": of(every[-2:], float(np.finfo(np.float32).max)),
    }
    if now is not None:
        found["from long ago"] = of(one, day=0.0)
        found["from the future"] = of(one, day=now + 36_500)
    return found


def _require_share(share: float) -> None:
    if not 0.0 <= share <= 1.0:
        raise InvalidRequest(f"a share of {share:g} of a history is none; choose one in [0, 1]")
