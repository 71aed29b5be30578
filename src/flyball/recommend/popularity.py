"""Popularity, old interactions counting less. The bar that a personal model must clear."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from flyball.errors import ArtifactCorrupt
from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.protocols import Terms

if TYPE_CHECKING:
    from flyball.ports import Suggest
    from flyball.recommend.histories import Histories, History
    from flyball.recommend.interactions import Interactions


class PopularityConfig(BaseModel):
    """How fast the past is forgotten.

    Attributes:
        half_life_days: after so many days an interaction counts half. None: all count the same,
            as they do where days are not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    half_life_days: float | None = Field(default=60.0, gt=0.0, allow_inf_nan=False)

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """A configuration proposed by a search: 3 days to 3 years on a log scale."""
        return cls(half_life_days=trial.suggest_float("half_life_days", 3.0, 1000.0, log=True))


class Popularity:
    """Scores an item by its decayed number of users, as a share of all training users.

    ``score_i(t) = sum over interactions with i on days <= t of 2 ^ -((t - day) / half-life) / n``,
    where t is the day asked for (default: the newest of the training data) and n the number of
    training users. An interaction after t is not known on that day, and does not count.

    Args:
        shares: float32, shape (n_items,): the scores on the newest day.
        half_life_days: None where nothing decays.
        n_users: of the training data.
        days, items, counts: shape (n,), how many interactions each item had on each day, by rising
            day; empty where nothing decays.
    """

    family: ClassVar[str] = "popularity"
    version: ClassVar[int] = 2
    Config: ClassVar[type[PopularityConfig]] = PopularityConfig

    def __init__(
        self,
        shares: NDArray[np.float32],
        half_life_days: float | None,
        n_users: int,
        *,
        days: NDArray[np.float32],
        items: NDArray[np.int32],
        counts: NDArray[np.float32],
    ) -> None:
        self._shares = shares
        self._half_life = half_life_days
        self._n_users = n_users
        self._days, self._items, self._counts = days, items, counts

    @property
    def shares(self) -> NDArray[np.float32]:
        """Shape (n_items,): the scores on the newest day. Not to be written to."""
        return self._shares

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        return len(self._shares)

    @classmethod
    def fit(cls, data: Interactions, config: PopularityConfig) -> Self:
        """Count the users of each item.

        Raises:
            TrainingError: the data is empty or not finite.
        """
        data.require_trainable()
        n_users, n_items = data.matrix.shape
        if data.days is None or config.half_life_days is None:
            shares = (data.counts / n_users).astype(np.float32)
            nothing = np.empty(0, dtype=np.float32)
            none = nothing.astype(np.int32)
            return cls(shares, None, n_users, days=nothing, items=none, counts=nothing)
        cells = data.days.astype(np.int64) * n_items + data.matrix.indices
        distinct, counts = np.unique(cells, return_counts=True)
        days, items = np.divmod(distinct, n_items)
        made = cls(
            np.zeros(n_items, dtype=np.float32),
            config.half_life_days,
            n_users,
            days=days.astype(np.float32),
            items=items.astype(np.int32),
            counts=counts.astype(np.float32),
        )
        made._shares = made.on(float(days[-1]))
        return made

    def on(self, day: float) -> NDArray[np.float32]:
        """Scores (n_items,) on a day; a new array."""
        if self._half_life is None:
            return self._shares.copy()
        until = int(np.searchsorted(self._days, day, side="right"))
        ages = day - self._days[:until].astype(np.float64)
        weights = self._counts[:until] * np.exp2(-ages / self._half_life)
        sums = np.bincount(self._items[:until], weights=weights, minlength=self.n_items)
        return (sums / self._n_users).astype(np.float32)

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_items), each row of one day the same; a new array."""
        if self._half_life is None or histories.as_of is None:
            return np.repeat(self._shares[None, :], len(histories), axis=0)
        days, rows = np.unique(histories.as_of, return_inverse=True)
        return np.stack([self.on(float(day)) for day in days])[rows]

    def score(self, history: History) -> NDArray[np.float32]:
        """Scores (n_items,), whatever the history; a new array."""
        return self._shares.copy() if history.as_of is None else self.on(history.as_of)

    def terms(self, history: History, items: NDArray[np.integer[Any]]) -> Terms:
        """No item of the history moves a score: all of it is popularity."""
        none = np.zeros((len(items), len(history)), dtype=np.float32)
        shares = self._shares if history.as_of is None else self.on(history.as_of)
        return Terms(none, base=shares[items])

    def similar(self, item: int) -> NDArray[np.float32]:
        """Scores (n_items,) with ``item`` itself at 0: knowing no likeness, the popular first."""
        scores = self._shares.copy()
        scores[item] = 0.0
        return scores

    def save(self, directory: Path) -> None:
        """Write ``shares.npy``, ``about.npy`` and the three of the days.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        half_life = np.nan if self._half_life is None else self._half_life
        write_array(directory, "about", np.array([half_life, self._n_users], dtype=np.float64))
        for name, array in self._arrays().items():
            write_array(directory, name, array)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        about = open_array(directory, "about", ndim=1, dtype=np.float64)
        shares = open_array(directory, "shares", ndim=1)
        days = open_array(directory, "days", ndim=1)
        items = open_array(directory, "items", ndim=1, dtype=np.int32)
        counts = open_array(directory, "counts", ndim=1)
        fits = len(about) == 2 and len(days) == len(items) == len(counts)
        if not fits or (len(items) and not 0 <= items.min() <= items.max() < len(shares)):
            raise ArtifactCorrupt(
                f"the popularity model in {directory} cannot be used: its files do not fit each "
                "other; restore the artifact or train again"
            )
        half_life = None if np.isnan(about[0]) else float(about[0])
        return cls(shares, half_life, int(about[1]), days=days, items=items, counts=counts)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {
            "shares": self._shares,
            "days": self._days,
            "items": self._items,
            "counts": self._counts,
        }
