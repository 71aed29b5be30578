"""A part of the training data held back from it, for what a model learns of itself."""

from __future__ import annotations

import numpy as np

from flyball.errors import TrainingError
from flyball.recommend.dated_splits import TimeSplit
from flyball.recommend.interactions import Interactions
from flyball.recommend.split import Fold, HoldoutSplit

SEED = 19
MIN_ITEMS = 3
"""Users with fewer items are not asked: nothing would be left to ask with."""

MIN_USERS = 10
"""Fewer say nothing."""


def inner_fold(data: Interactions) -> Fold:
    """What came last where days are known, else a fifth of each user's items.

    The same data give the same fold. Its items are those of ``data`` that have interactions.

    Raises:
        TrainingError: the data leave nothing to hold back.
    """
    frame = data.frame()
    fold = HoldoutSplit(seed=SEED, min_items=MIN_ITEMS).fold(frame)
    if data.days is not None and len(np.unique(data.days)) > 1:
        later = TimeSplit().fold(frame)
        fold = later if len(later.test_users) >= MIN_USERS else fold
    if len(fold.test_users) < MIN_USERS:
        raise TrainingError(
            f"{len(fold.test_users)} users have {MIN_ITEMS} items or more: too few to hold "
            "something back from training; choose a simpler model, or ingest more batches"
        )
    if data.features is None:
        return fold
    return fold.described(data.features[np.searchsorted(data.items, fold.train.items)])
