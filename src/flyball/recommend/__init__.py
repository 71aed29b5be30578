"""A recommender library: interactions, splits, models and ranking metrics.

It knows users and items, and nothing of games. Importing it loads numpy, scipy.sparse and pydantic;
polars and the dense linear algebra are loaded by the calls that need them.
"""

from __future__ import annotations

from flyball.recommend.beyond import (
    average_popularity,
    coverage,
    exposure,
    gini,
    intra_list_diversity,
    novelty,
)
from flyball.recommend.dated_splits import LastSplit, TimeSplit
from flyball.recommend.ease import Ease, EaseConfig
from flyball.recommend.histories import Histories, History
from flyball.recommend.interactions import Interactions
from flyball.recommend.metrics import (
    auc,
    average_precision,
    dcg,
    hit_rate,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
)
from flyball.recommend.order import OrderTest, order_test
from flyball.recommend.popularity import Popularity, PopularityConfig
from flyball.recommend.protocols import Recommender, Scorer, Terms
from flyball.recommend.ranking import Ranking, rank, top_k
from flyball.recommend.split import Fold, HoldoutSplit

__all__ = [
    "Ease",
    "EaseConfig",
    "Fold",
    "Histories",
    "History",
    "HoldoutSplit",
    "Interactions",
    "LastSplit",
    "OrderTest",
    "Popularity",
    "PopularityConfig",
    "Ranking",
    "Recommender",
    "Scorer",
    "Terms",
    "TimeSplit",
    "auc",
    "average_popularity",
    "average_precision",
    "coverage",
    "dcg",
    "exposure",
    "gini",
    "hit_rate",
    "intra_list_diversity",
    "ndcg",
    "novelty",
    "order_test",
    "precision",
    "rank",
    "recall",
    "reciprocal_rank",
    "top_k",
]
