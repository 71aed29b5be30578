"""A recommender library: interactions, splits, models and ranking metrics.

It knows users and items, and nothing of games. Importing it loads numpy, scipy.sparse and pydantic;
polars and the dense linear algebra are loaded by the calls that need them.
"""

from __future__ import annotations

from flyball.recommend.ease import Ease, EaseConfig
from flyball.recommend.interactions import Interactions
from flyball.recommend.metrics import (
    Ranking,
    coverage,
    hit_rate,
    ndcg,
    rank,
    recall,
    top_k,
)
from flyball.recommend.popularity import Popularity, PopularityConfig
from flyball.recommend.protocols import Recommender, Scorer
from flyball.recommend.split import Fold, HoldoutSplit

__all__ = [
    "Ease",
    "EaseConfig",
    "Fold",
    "HoldoutSplit",
    "Interactions",
    "Popularity",
    "PopularityConfig",
    "Ranking",
    "Recommender",
    "Scorer",
    "coverage",
    "hit_rate",
    "ndcg",
    "rank",
    "recall",
    "top_k",
]
