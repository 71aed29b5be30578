"""Splits by time: what was known then, and what came after.

A model that is judged on rows older than those it learnt from knows the future. These splits keep
the order of time; ``HoldoutSplit`` does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from flyball.errors import InvalidRequest, TrainingError
from flyball.recommend.interactions import Pairs
from flyball.recommend.split import Fold

if TYPE_CHECKING:
    import polars as pl

Mask = NDArray[np.bool_]
Days = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LastSplit:
    """Holds out the last new item of each user; each user's earlier items are for training.

    The last item is the one whose first day is the newest; of several on that day it is the one
    with the greatest item id (as text). All rows of that pair are test rows. Other users' later
    rows stay in training, so a model may know a future that this user's last day did not.
    Recommendations are asked for on the day of the user's newest training row (``Fold.as_of``):
    the day of the held-out row itself would give away when the user came back.

    A value of one number: store it (``dataclasses.asdict``) and the split can be made again.

    Attributes:
        min_items: users with fewer distinct items have no test rows; at least 2.

    Raises:
        InvalidRequest: the number is out of its range.
    """

    min_items: int = 5

    def __post_init__(self) -> None:
        if self.min_items < 2:
            raise InvalidRequest(
                f"min_items {self.min_items} must be at least 2: one to learn from, one to foretell"
            )

    def split(self, frame: pl.DataFrame) -> tuple[Mask, Mask]:
        """Train mask and test mask of the rows of ``frame``; each row is in exactly one.

        Args:
            frame: ``user_id``, ``item_id`` and ``day`` (a date, or days since 1970-01-01).

        Raises:
            TrainingError: the frame cannot be read as interactions, or a row has no day.
        """
        test = self._test_mask(_dated(frame)[0])
        return ~test, test

    def fold(self, frame: pl.DataFrame) -> Fold:
        """The fold of ``frame`` under this split.

        Raises:
            TrainingError: as ``split``.
        """
        pairs, days = _dated(frame)
        test = self._test_mask(pairs)
        newest = np.full(len(pairs.users), -np.inf, dtype=np.float32)
        np.maximum.at(newest, pairs.rows[~test], days[~test])
        return replace(Fold.from_frame(frame, test), as_of=newest)

    def _test_mask(self, pairs: Pairs) -> Mask:
        whole = pairs.interactions()
        lengths = np.diff(whole.matrix.indptr)
        users = np.repeat(np.arange(len(lengths)), lengths)
        assert whole.days is not None  # _dated saw to it
        order = np.lexsort((whole.matrix.indices, whole.days, users))
        ends = np.cumsum(lengths)[lengths >= self.min_items] - 1
        last = np.full(len(lengths), -1, dtype=np.int64)
        last[lengths >= self.min_items] = whole.matrix.indices[order[ends]]
        return np.asarray(last[pairs.rows] == pairs.columns)


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Holds out what came after one day, the same for all users.

    Rows dated after the cutoff are test rows. Users without an earlier row have no history to be
    asked with: their test rows are in no fold. Recommendations are asked for on the cutoff day
    (``Fold.as_of``).

    A value of two numbers: store it (``dataclasses.asdict``) and the split can be made again.

    Attributes:
        fraction: share of rows to hold out, in (0, 1), when there is no ``cutoff``: the cutoff is
            then the first day after which at most this share of the rows comes. Where the newest
            day alone has more rows, it is the day before that.
        cutoff: the last day of training, in days since 1970-01-01; None: by ``fraction``.

    Raises:
        InvalidRequest: a number is out of its range.
    """

    fraction: float = 0.1
    cutoff: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.fraction < 1.0:
            raise InvalidRequest(f"fraction {self.fraction} must lie between 0 and 1, e.g. 0.1")
        if self.cutoff is not None and not np.isfinite(self.cutoff):
            raise InvalidRequest(f"cutoff {self.cutoff} is no day; give days since 1970-01-01")

    def split(self, frame: pl.DataFrame) -> tuple[Mask, Mask]:
        """Train mask and test mask of the rows of ``frame``; each row is in exactly one.

        Args:
            frame: ``user_id``, ``item_id`` and ``day`` (a date, or days since 1970-01-01).

        Raises:
            TrainingError: the frame cannot be read as interactions, a row has no day, or no day
                leaves rows on both sides.
        """
        days = _dated(frame)[1]
        test = days > self._cutoff(days)
        return ~test, test

    def fold(self, frame: pl.DataFrame) -> Fold:
        """The fold of ``frame`` under this split.

        Raises:
            TrainingError: as ``split``.
        """
        pairs, days = _dated(frame)
        cutoff = self._cutoff(days)
        fold = Fold.from_frame(frame, days > cutoff)
        as_of = np.full(len(pairs.users), cutoff, dtype=np.float32)
        return replace(fold, test=_asked(fold), as_of=as_of)

    def _cutoff(self, days: Days) -> np.float32:
        distinct, counts = np.unique(days, return_counts=True)
        if self.cutoff is None:
            after = (len(days) - np.cumsum(counts)) / max(1, len(days))
            place = min(int(np.argmax(after <= self.fraction)), len(distinct) - 2)
            cutoff = distinct[place] if place >= 0 else np.float32(np.inf)
        else:
            cutoff = np.float32(self.cutoff)
        if not (distinct[0] <= cutoff < distinct[-1]):
            raise TrainingError(
                f"no rows on both sides of the cutoff: they are of days {distinct[0]:g} to "
                f"{distinct[-1]:g}; choose a cutoff between them, or a HoldoutSplit"
            )
        return np.float32(cutoff)


def _dated(frame: pl.DataFrame) -> tuple[Pairs, Days]:
    pairs = Pairs.from_frame(frame)
    if pairs.days is None:
        raise TrainingError(
            f"a split by time needs a column day without gaps (rows: {frame.height}, columns: "
            f"{', '.join(frame.columns)}); leave undated rows out, or use a HoldoutSplit"
        )
    return pairs, pairs.days


def _asked(fold: Fold) -> csr_matrix:
    """The test items of the users who have a training item."""
    asked = np.diff(fold.train.matrix.indptr) > 0
    test = csr_matrix(diags_array(asked.astype(np.float32)) @ fold.test)
    test.eliminate_zeros()
    test.sort_indices()
    return test
