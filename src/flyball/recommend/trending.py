"""Trending: what users go on to, as far as it is in fashion, and what is in fashion anyway.

With D[j, i] the number of users who came to i after j (half for one day), n_j the users of j, b the
popularity with a half-life on the day asked for, normalised to sum 1, and b' without one:

    fashion_i = ((b_i + eps) / (b'_i + eps)) ^ recency_power
    score(h)[i] = fashion_i sum over j in h of 2^-(age_j / half_life_days) D[j, i] / n_j^alpha
                  + base_weight |h|^length_power b_i

Both popularities count only what was known on that day. So a score is a sum over the history and
one term that no item of it accounts for, and its reasons are exact. Compare "recency" and
"popularity" in Ji, Sun, Zhang and Li, "A re-visit of the popularity baseline in recommender
systems", SIGIR 2020.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.histories import Histories, History
from flyball.recommend.markov import Markov, MarkovConfig
from flyball.recommend.popularity import Popularity, PopularityConfig
from flyball.recommend.protocols import Terms

if TYPE_CHECKING:
    from flyball.ports import Suggest
    from flyball.recommend.interactions import Interactions

EPSILON = 1e-4
"""A share of all interactions below which an item's fashion is noise."""

EVER = 1e7
"""A half-life, in days, that forgets nothing."""


class TrendingConfig(BaseModel):
    """How much fashion counts.

    Attributes:
        alpha: at least 0; more of it trusts items of few users more.
        half_life_days: an item of a history counts half that many days before its newest one.
        recency_half_life_days: of what is in fashion.
        recency_power: how much fashion moves what users go on to; 0: not at all.
        base_weight: how much is shown that is in fashion anyway; 0: nothing.
        length_power: how much more that counts for those with a long history.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: float = Field(default=0.5, ge=0.0, le=2.0)
    half_life_days: float = Field(default=300.0, gt=0.0, allow_inf_nan=False)
    recency_half_life_days: float = Field(default=60.0, gt=0.0, allow_inf_nan=False)
    recency_power: float = Field(default=0.5, ge=0.0, le=2.0)
    base_weight: float = Field(default=30.0, ge=0.0, allow_inf_nan=False)
    length_power: float = Field(default=0.25, ge=0.0, le=1.0)

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """A configuration proposed by a search."""
        return cls(
            alpha=trial.suggest_float("alpha", 0.2, 1.0),
            half_life_days=trial.suggest_float("half_life_days", 20.0, 2000.0, log=True),
            recency_half_life_days=trial.suggest_float(
                "recency_half_life_days", 5.0, 200.0, log=True
            ),
            recency_power=trial.suggest_float("recency_power", 0.0, 1.0),
            base_weight=trial.suggest_float("base_weight", 0.3, 300.0, log=True),
            length_power=trial.suggest_float("length_power", 0.0, 1.0),
        )


class Trending:
    """A fitted trending model.

    Args:
        links: what users go on to.
        recent, ever: popularity with a half-life and without one.
        config: the powers and the weight.
    """

    family: ClassVar[str] = "trending"
    version: ClassVar[int] = 1
    Config: ClassVar[type[TrendingConfig]] = TrendingConfig

    def __init__(
        self, links: Markov, recent: Popularity, ever: Popularity, config: TrendingConfig
    ) -> None:
        self._links, self._recent, self._ever, self._config = links, recent, ever, config
        self._now = self._fashion(None)

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        return self._links.n_items

    @classmethod
    def fit(cls, data: Interactions, config: TrendingConfig) -> Self:
        """Count who went on to what, and what each day was popular.

        Raises:
            TrainingError: the data is empty, not finite or has no dates.
        """
        data.require_trainable()
        if data.days is None:
            raise TrainingError(
                "what is trending shows in the dates of interactions, and this data has no dates; "
                "ingest a day with every row or choose another model"
            )
        links = MarkovConfig(
            window=1000,
            decay=1.0,
            alpha=config.alpha,
            neighbours=1000,
            half_life_days=config.half_life_days,
        )
        half_life = config.recency_half_life_days
        return cls(
            Markov.fit(data, links),
            Popularity.fit(data, PopularityConfig(half_life_days=half_life)),
            Popularity.fit(data, PopularityConfig(half_life_days=EVER)),
            config,
        )

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_items) of n histories; a new array."""
        scores = self._links.predict(histories)
        lengths = histories.lengths.astype(np.float32) ** np.float32(self._config.length_power)
        if histories.as_of is None:
            fashion, base = self._now
            scores *= fashion
            return np.asarray(scores + lengths[:, None] * base, dtype=np.float32)
        days, rows = np.unique(histories.as_of, return_inverse=True)
        for number, day in enumerate(days):
            fashion, base = self._fashion(float(day))
            mine = rows == number
            scores[mine] = scores[mine] * fashion + lengths[mine, None] * base
        return scores

    def score(self, history: History) -> NDArray[np.float32]:
        """Scores (n_items,) of one history; a new array."""
        fashion, base = self._now if history.as_of is None else self._fashion(history.as_of)
        scores = self._links.score(history)
        scores *= fashion
        scores += np.float32(len(history) ** self._config.length_power) * base
        return scores

    def terms(self, history: History, items: NDArray[np.integer[Any]]) -> Terms:
        """The terms of the sum; what is in fashion anyway is the base."""
        fashion, base = self._now if history.as_of is None else self._fashion(history.as_of)
        links = self._links.terms(history, items).items
        length = np.float32(len(history) ** self._config.length_power)
        return Terms(links * fashion[items][:, None], base=length * base[items])

    def similar(self, item: int) -> NDArray[np.float32]:
        """What users of ``item`` go on to, as far as it is in fashion; 0 for itself."""
        return np.asarray(self._links.similar(item) * self._now[0], dtype=np.float32)

    def save(self, directory: Path) -> None:
        """Write its three models into folders of their own, and ``config.npy``.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        self._links.save(directory / "links")
        self._recent.save(directory / "recent")
        self._ever.save(directory / "ever")
        numbers = list(self._config.model_dump().values())
        write_array(directory, "config", np.array(numbers, dtype=np.float64))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        numbers = open_array(directory, "config", ndim=1, dtype=np.float64).tolist()
        links = Markov.load(directory / "links")
        recent = Popularity.load(directory / "recent")
        ever = Popularity.load(directory / "ever")
        fields = list(TrendingConfig.model_fields)
        try:
            config = TrendingConfig(**dict(zip(fields, numbers, strict=True)))
        except ValueError as error:  # pydantic's is one, too
            raise _damaged(directory, f"its configuration is none: {error}") from error
        if not links.n_items == recent.n_items == ever.n_items:
            raise _damaged(directory, "its parts do not fit each other")
        return cls(links, recent, ever, config)

    def _fashion(self, day: float | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What is in fashion on a day (None: now): the factor of each item, and the base."""
        recent = self._recent.shares if day is None else self._recent.on(day)
        ever = self._ever.shares if day is None else self._ever.on(day)
        shares = recent / max(float(recent.sum()), 1e-12)
        before = ever / max(float(ever.sum()), 1e-12)
        factor = ((shares + EPSILON) / (before + EPSILON)) ** self._config.recency_power
        base = self._config.base_weight * shares
        return factor.astype(np.float32), base.astype(np.float32)


def _damaged(directory: Path, reason: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the model in {directory} cannot be used: {reason}; restore the artifact or train again"
    )
