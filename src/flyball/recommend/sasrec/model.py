"""SASRec as a recommender: fit with torch, answer with NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball import checkpoints
from flyball.errors import ArtifactCorrupt, TrainingError
from flyball.recommend.histories import Histories, History
from flyball.recommend.inner import inner_fold
from flyball.recommend.protocols import Terms
from flyball.recommend.sasrec.config import SasRecConfig
from flyball.recommend.sasrec.extra import required
from flyball.recommend.sasrec.logits import Logits
from flyball.recommend.sasrec.trends import Trends

if TYPE_CHECKING:
    from flyball.recommend.interactions import Interactions
    from flyball.recommend.sasrec.keeping import Keeper
    from flyball.recommend.sasrec.lessons import Lesson


class SasRec:
    """Scores an item by the probability that it is what the user comes to next.

    ``softmax(h . e_i + sum over trends k of w_k trend_ki(t))`` over the items with interactions;
    all others score 0. h is what the network makes of the newest items of the history, in order of
    day; e_i is the item's embedding; trends are of the day asked for. Someone without a history is
    answered by the trends alone.

    Args:
        logits: of the known items.
        known: shape (n_known,), their rising indices.
        n_items: of all items.
        about: what is to be stored beside the weights.
    """

    family: ClassVar[str] = "sasrec"
    version: ClassVar[int] = 1
    Config: ClassVar[type[SasRecConfig]] = SasRecConfig

    def __init__(
        self, logits: Logits, known: NDArray[np.int32], n_items: int, about: dict[str, Any]
    ) -> None:
        self._logits, self._known, self._n_items, self._about = logits, known, n_items, about
        self._place = np.full(n_items, -1, dtype=np.int32)
        self._place[known] = np.arange(len(known), dtype=np.int32)

    @property
    def n_items(self) -> int:
        """How many items it scores."""
        return self._n_items

    @property
    def epochs(self) -> int:
        """After how many epochs it was taken."""
        return int(self._about["epochs"])

    @classmethod
    def fit(cls, data: Interactions, config: SasRecConfig) -> Self:
        """Train, on ``config.processes`` processes.

        Keeps checkpoints where ``flyball.checkpoints.directory()`` says, and goes on from them. The
        same data, configuration and libraries give the same bytes, however often it was cut off, on
        however many cores. One fit at a time in a process: torch has one stream of random numbers.

        Memory is that of the weights four times, of ``trends.TABLE_CELLS`` and of
        ``lessons.BATCH_CELLS``; the time of an epoch grows with the interactions times the items.

        Raises:
            TrainingError: the data is empty or without days, or the training failed.
            ConfigurationError: torch is not installed.
            StorageUnavailable: a checkpoint cannot be written.
        """
        data.require_trainable()
        if data.days is None:
            raise TrainingError(
                f"sasrec learns from the order of {data.matrix.nnz} interactions, and they have no "
                "dates; ingest rows that all have a day, or choose another family, e.g. ease"
            )
        required("torch")
        required("safetensors")
        from flyball.recommend.sasrec.keeping import Keeper, request_digest

        known = np.flatnonzero(data.counts).astype(np.int32)
        lesson = _lesson(data.narrowed(items=known.astype(np.int64)), config)
        place = checkpoints.directory()
        keeper = None
        if place is not None:
            keeper = Keeper(place, request_digest(lesson, config))
        weights, epochs = _learnt(lesson, config, keeper)
        about = {
            "epochs": epochs,
            "heads": config.heads,
            "max_len": config.max_len,
            "n_items": len(data.items),
            "n_trends": len(config.half_lives),
            "n_users": len(data.users),
            "smoothing": config.smoothing,
        }
        trends = Trends.fit(lesson.data, config.half_lives, config.smoothing)
        made = cls(
            Logits(weights, trends, config.heads, config.max_len), known, len(data.items), about
        )
        if keeper is not None:
            keeper.done()
        return made

    def predict(self, histories: Histories) -> NDArray[np.float32]:
        """Scores (n, n_items) of n histories; a new array."""
        found = _softmax(self._logits.predict(self._among_known(histories)))
        if len(self._known) == self._n_items:
            return np.asarray(found)
        scores = np.zeros((len(histories), self._n_items), dtype=np.float32)
        scores[:, self._known] = found
        return scores

    def score(self, history: History) -> NDArray[np.float32]:
        """Scores (n_items,) of one history; a new array."""
        items = self._place[history.items[self._counted(history)]].astype(np.int64)
        found = _softmax(self._logits.one(items, history.as_of)[None])[0]
        if len(self._known) == self._n_items:
            return np.asarray(found)
        scores = np.zeros(self._n_items, dtype=np.float32)
        scores[self._known] = found
        return scores

    def terms(self, history: History, items: NDArray[np.integer[Any]]) -> Terms:
        """A fallback, as the score is no sum: what a score loses without each item alone.

        ``score(history) - score(history without j)``, and ``base`` is what is left, so that all
        adds up. Items too old to count are 0.
        """
        counted = self._counted(history)
        variants = [history, *(history.without(int(place)) for place in counted)]
        scores = self.predict(Histories.of(variants, self._n_items))[:, items]
        lost = np.zeros((len(items), len(history)), dtype=np.float32)
        lost[:, counted] = (scores[0] - scores[1:]).T
        return Terms(lost, base=scores[0] - lost.sum(axis=1), exact=False)

    def similar(self, item: int) -> NDArray[np.float32]:
        """Shape (n_items,): what having ``item`` alone adds to each other item's logit.

        0 for the item itself, and for items without interactions.
        """
        scores = np.zeros(self._n_items, dtype=np.float32)
        if self._place[item] < 0:
            return scores
        alone = csr_matrix(([1.0], ([0], [self._place[item]])), shape=(1, len(self._known)))
        scores[self._known] = self._logits.personal(Histories(alone.astype(np.float32)))[0]
        scores[item] = 0.0
        return scores

    def save(self, directory: Path) -> None:
        """Write ``weights.safetensors``, ``sasrec.json`` and the trends.

        Raises:
            StorageUnavailable: the disk refused it.
        """
        from flyball.recommend.sasrec.stored import write

        write(directory, self._logits.weights, self._known, self._about)
        self._logits.trends.save(directory)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote. Needs safetensors, but not torch.

        Raises:
            ArtifactCorrupt: a file is missing or damaged, or they do not fit each other.
            ConfigurationError: safetensors is not installed.
        """
        from flyball.recommend.sasrec.stored import read

        weights, known, about = read(directory)
        trends = Trends.load(directory, about["n_trends"], about["n_users"], about["smoothing"])
        if trends.n_items != len(known):
            raise ArtifactCorrupt(
                f"the sasrec model in {directory} cannot be used: it has trends of "
                f"{trends.n_items} items and weights of {len(known)}; restore the artifact or "
                "train again"
            )
        made = Logits(weights, trends, about["heads"], about["max_len"])
        return cls(made, known, about["n_items"], about)

    def _among_known(self, histories: Histories) -> Histories:
        """The histories over the known items; the others say nothing."""
        if len(self._known) == self._n_items:
            return histories
        kept = histories.kept(self._place[histories.matrix.indices] >= 0)
        parts = (kept.matrix.data, self._place[kept.matrix.indices], kept.matrix.indptr)
        matrix = csr_matrix(parts, shape=(len(histories), len(self._known)))
        return Histories(matrix, kept.hours, kept.days, kept.as_of)

    def _counted(self, history: History) -> NDArray[np.int64]:
        """The places of the items that the network looks at, the oldest first."""
        by = (history.items,) if history.days is None else (history.items, history.days)
        order = np.lexsort(by)
        known = order[self._place[history.items[order]] >= 0]
        return np.asarray(known[-self._logits.max_len :], dtype=np.int64)


def _lesson(data: Interactions, config: SasRecConfig) -> Lesson:
    from flyball.recommend.sasrec.lessons import Lesson

    if config.patience is None or not config.epochs:
        return Lesson(data, None)
    try:
        return Lesson(data, inner_fold(data))
    except TrainingError:  # too few users to hold anything back: all epochs are trained
        return Lesson(data, None)


def _learnt(
    lesson: Lesson, config: SasRecConfig, keeper: Keeper | None
) -> tuple[dict[str, NDArray[np.float32]], int]:
    if config.processes > 1:
        from flyball.recommend.sasrec.distributed import learn_together

        return learn_together(lesson, config, keeper)
    from flyball.recommend.sasrec.training import Alone, learn

    return learn(lesson, config, Alone(), keeper)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each row, in place."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits
