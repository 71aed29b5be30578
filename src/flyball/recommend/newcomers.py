"""Items that nobody has yet, scored by what they are like: any recommender made to cover them.

A new item's score is the weighted mean of those of its nearest known items by content:

    score(h)[i] = sum over known items j of S[i, j] score(h)[j]

With S so sparse a linear model stays linear, and its reasons stay exact.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import ArtifactCorrupt, InvalidRequest
from flyball.recommend.arrays import open_array, write_array
from flyball.recommend.histories import Histories, History
from flyball.recommend.protocols import Recommender, Terms
from flyball.recommend.tfidf import tfidf

BLOCK = 1024
"""New items compared with all known ones at a time."""

SHARPNESS = 4
"""Power of the cosine. Of 1 to 6 it was best on Steam: of the games hidden that a player has, a
share of .691 stands among the first 20 of 300 hidden ones (random .061)."""


class Newcomers:
    """The nearest known items of each new one.

    Args:
        items: rising, shape (n_new,): indices of the new items that have neighbours.
        likeness: S, float32, shape (n_new, n_items): weights of known items, above 0; as fitted
            each row adds up to the gain.
    """

    def __init__(self, items: NDArray[np.int64], likeness: csr_matrix) -> None:
        self.items = items
        self.likeness = likeness

    def __len__(self) -> int:
        return len(self.items)

    @property
    def n_items(self) -> int:
        """How many items there are, new and known."""
        return int(self.likeness.shape[1])

    @classmethod
    def fit(
        cls,
        features: csr_matrix,
        known: NDArray[np.bool_],
        *,
        k: int = 10,
        floor: float = 0.2,
        gain: float = 1.0,
    ) -> Self:
        """Compare each new item with all known ones.

        Args:
            features: counts, shape (n_items, n_features), as ``tfidf.tfidf`` takes them.
            known: shape (n_items,): false for items that nobody has.
            k: neighbours of each at most.
            floor: the least cosine of the TF-IDF vectors that makes a neighbour.
            gain: what each row adds up to. 1: a new item ranks where its neighbours do on average.
                An average is seldom at the top: 2, say, brings new items there, at the cost of
                others.

        Returns:
            Weights in proportion to the fourth power of the cosine: the nearest count most. New
            items without a neighbour are left out: the model scores them as it does.

        Raises:
            TrainingError: a count is negative or not finite.
            InvalidRequest: ``known`` does not fit the features, or a number is not above 0.
        """
        if known.shape != (features.shape[0],) or k < 1 or not floor > 0 or not gain > 0:
            raise InvalidRequest(
                f"{known.shape} marks, k = {k}, floor = {floor} and gain = {gain} do not fit "
                f"features of {features.shape[0]} items; pass one mark for each, the others above 0"
            )
        vectors = tfidf(features)
        new, old = np.flatnonzero(~known), np.flatnonzero(known)
        candidates = csr_matrix(vectors[old].T)
        parts = []
        for start in range(0, len(new), BLOCK):
            cosines = csr_matrix(vectors[new[start : start + BLOCK]] @ candidates)
            parts.append(_nearest(cosines, k, floor))
        lengths = np.concatenate([np.empty(0, np.int64), *(part[2] for part in parts)])
        values = np.concatenate([np.empty(0, np.float32), *(part[0] for part in parts)])
        values *= np.float32(gain)
        columns = old[np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)])]
        some = lengths > 0
        indptr = np.concatenate([[0], np.cumsum(lengths[some])])
        shape = (int(some.sum()), len(known))
        likeness = csr_matrix((values, columns.astype(np.int32), indptr), shape=shape)
        return cls(new[some], likeness)

    def holds(self, items: NDArray[np.integer[Any]]) -> bool:
        """Whether any of these is new and has neighbours."""
        if not len(self.items):
            return False
        places = self.items.searchsorted(items)
        return bool((self.items.take(places, mode="clip") == items).any())

    def row(self, item: int) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
        """Neighbours of a new item and their weights; None: it is not new, or has none."""
        row = bisect_left(self.items, item)
        if row == len(self.items) or self.items[row] != item:
            return None
        part = slice(self.likeness.indptr[row], self.likeness.indptr[row + 1])
        return self.likeness.indices[part], self.likeness.data[part]

    def means(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Shape (n_new,): the weighted means of these scores (n_items,) over the neighbours."""
        if not len(self.items):
            return np.empty(0, dtype=np.float32)
        # no row is empty, which reduceat needs
        parts = scores.take(self.likeness.indices)
        parts *= self.likeness.data
        return np.add.reduceat(parts, self.likeness.indptr[:-1])

    def save(self, directory: Path) -> None:
        """Write four arrays, named ``newcomers_*.npy``.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        likeness = self.likeness
        sizes = np.concatenate([[self.n_items], likeness.indptr]).astype(np.int64)
        write_array(directory, "newcomers_items", self.items.astype(np.int64))
        write_array(directory, "newcomers_data", likeness.data)
        write_array(directory, "newcomers_indices", likeness.indices.astype(np.int32))
        write_array(directory, "newcomers_sizes", sizes)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        items = open_array(directory, "newcomers_items", ndim=1, dtype=np.int64)
        data = open_array(directory, "newcomers_data", ndim=1)
        indices = open_array(directory, "newcomers_indices", ndim=1, dtype=np.int32)
        sizes = open_array(directory, "newcomers_sizes", ndim=1, dtype=np.int64)
        n_items, indptr = (int(sizes[0]), sizes[1:]) if len(sizes) else (0, sizes)
        if (
            len(indptr) != len(items) + 1
            or indptr[0] != 0
            or np.any(np.diff(indptr) < 1)
            or not indptr[-1] == len(data) == len(indices)
            or np.any(np.diff(items) < 1)
            or any(len(a) and not 0 <= a.min() <= a.max() < n_items for a in (items, indices))
        ):
            raise ArtifactCorrupt(
                f"the new items in {directory} cannot be used: their files do not fit each other; "
                "restore the artifact or train again"
            )
        return cls(items, csr_matrix((data, indices, indptr), shape=(len(items), n_items)))


class Covering:
    """A recommender that scores new items too; a ``Recommender`` itself, but for ``fit``.

    Everything but the scores of the new items is the model's own. ``save`` writes both into one
    directory: the model's files and those of ``Newcomers``.

    Args:
        model: scores all items, the new ones among them.
        newcomers: of the same items.

    Raises:
        InvalidRequest: the two have other numbers of items.
    """

    def __init__(self, model: Recommender, newcomers: Newcomers) -> None:
        if model.n_items != newcomers.n_items:
            raise InvalidRequest(
                f"a model of {model.n_items} items cannot cover new ones among "
                f"{newcomers.n_items}; fit both on the same catalogue"
            )
        self.model = model
        self.newcomers = newcomers
        self.family, self.version, self.Config = model.family, model.version, model.Config

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        return self.model.n_items

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_items) of n histories; a new array."""
        scores = self.model.predict(histories)
        scores[:, self.newcomers.items] = scores @ self.newcomers.likeness.T
        return scores

    def score(self, history: History) -> NDArray[np.float32]:
        """Scores (n_items,) of one history; a new array."""
        scores = self.model.score(history)
        scores[self.newcomers.items] = self.newcomers.means(scores)
        return scores

    def terms(self, history: History, items: NDArray[np.integer[Any]]) -> Terms:
        """The model's; of a new item, the weighted sum of those of its neighbours."""
        if not self.newcomers.holds(items):
            return self.model.terms(history, items)
        parts = [self.newcomers.row(item) or ([item], [1.0]) for item in items.tolist()]
        columns = np.concatenate([part[0] for part in parts])
        weights = np.concatenate([part[1] for part in parts]).astype(np.float32)
        starts = np.cumsum([0, *(len(part[0]) for part in parts[:-1])])
        found = self.model.terms(history, columns)
        base = None if found.base is None else np.add.reduceat(found.base * weights, starts)
        terms = np.add.reduceat(found.items * weights[:, None], starts, axis=0)
        return Terms(terms, base, found.exact)

    def similar(self, item: int) -> NDArray[np.float32]:
        """The model's, new items included; of a new item, what its neighbours speak for."""
        found = self.newcomers.row(item)
        if found is None:
            scores = self.model.similar(item)
        else:
            near = zip(*found, strict=True)
            rows = [float(weight) * self.model.similar(int(known)) for known, weight in near]
            scores = np.sum(rows, axis=0, dtype=np.float32)
        scores[self.newcomers.items] = self.newcomers.means(scores)
        scores[item] = 0.0
        return scores

    def save(self, directory: Path) -> None:
        """Write the model and its new items.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        self.model.save(directory)
        self.newcomers.save(directory)

    @classmethod
    def load(cls, directory: Path, family: type[Recommender]) -> Self:
        """Open what ``save`` wrote, where the model is of ``family``.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
        """
        try:
            return cls(family.load(directory), Newcomers.load(directory))
        except InvalidRequest as error:
            raise ArtifactCorrupt(
                f"the model in {directory} cannot be used: {error}; restore the artifact"
            ) from error


def _nearest(
    cosines: csr_matrix, k: int, floor: float
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
    """Of each row the ``k`` largest from ``floor``: weights, columns (rising), how many of each."""
    rows = np.repeat(np.arange(cosines.shape[0]), np.diff(cosines.indptr))
    near = cosines.data >= floor
    rows, columns, values = rows[near], cosines.indices[near], cosines.data[near]
    order = np.lexsort((columns, -values, rows))  # equals: the first item
    rows = rows[order]
    starts = np.searchsorted(rows, np.arange(cosines.shape[0]))
    order = order[np.arange(len(rows)) - starts[rows] < k]
    rows = np.repeat(np.arange(cosines.shape[0]), np.diff(cosines.indptr))[near][order]
    columns, values = columns[order], values[order].astype(np.float64) ** SHARPNESS
    sums = np.bincount(rows, weights=values, minlength=cosines.shape[0])
    order = np.lexsort((columns, rows))
    weights = (values / sums[rows]).astype(np.float32)[order]
    lengths = np.bincount(rows, minlength=cosines.shape[0]).astype(np.int64)
    return weights, columns[order].astype(np.int32), lengths
