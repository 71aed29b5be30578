"""The launch experiment: were these games new, would their players have found them?

The newest of the games that players have are hidden: whatever says that somebody has one of them.
A model learns from the rest, and is made to cover the games nobody has, as packaging does it. Then
each player who has a hidden game gets a list of the hidden games. Where rows are dated, the same is
asked again after the first week of each game.

Of the rest nothing is hidden, also not what came after the release: this asks what a model makes of
what is known of a game, not what it foretells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest, TrainingError
from flyball.games.launch_rivals import (
    Drawn,
    OnlyNew,
    Same,
    by_genre,
    by_maker,
    ndcg_by_chance,
    recall_by_chance,
)
from flyball.games.launch_shelf import Shelf
from flyball.games.meaning import covered
from flyball.recommend.metrics import ndcg, recall
from flyball.recommend.protocols import Recommender, Scorer
from flyball.recommend.ranking import Ranking, rank, top_k
from flyball.recommend.split import Fold
from flyball.stats.bootstrap import paired_bootstrap

if TYPE_CHECKING:
    from flyball.ports import Model, Tables

SHARE = 0.1
RECALL_AT = 20
NDCG_AT = 10
SHOWN = 10
"""Places of the lists in which exposure is counted."""

MOST_PLAYERS = 5000
"""Players whose lists exposure is counted in, drawn at random; more move a share by little."""

BLOCK = 256
FEWEST_PLAYERS = 20
MODEL, CHANCE, GENRE = "model", "random", "genre popularity"

Values = NDArray[np.float64]


def asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of ``launch`` that options stand for.

    Raises:
        InvalidRequest: an option is unknown or no number.
    """
    unknown = sorted(set(options) - {"share"})
    share = options.get("share", SHARE)
    if unknown or isinstance(share, bool) or not isinstance(share, int | float):
        wrong = unknown[0] if unknown else f"share = {share!r}"
        raise InvalidRequest(f"a launch cannot read {wrong}; it takes `share`, in (0, 1)")
    return {"share": float(share)}


def launch(
    model: type[Model],
    config: Any,
    tables: Tables,
    *,
    seed: int,
    share: float = SHARE,
) -> dict[str, Any]:
    """Hide the newest games and see who finds them, on day 0 and day 7.

    Args:
        model: a family of ``flyball.recommend``; ``config``: its hyperparameters.
        seed: of the draws and of the intervals.
        share: of the games with players, release date and content: the newest so many are hidden.

    Returns:
        JSON types: ``games`` (what was hidden) and ``days``: of each its ``scores`` by who made the
        lists (``name``, ``recall``, ``ndcg``: mean and 95% interval), ``times`` (recall of the
        model as a multiple of others'), ``exposure``; or, where it cannot be told, ``why``.

    Raises:
        TrainingError: too few games can be hidden, or too few players have any; or the fit failed.
        InvalidRequest: ``share`` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise InvalidRequest(f"a share of {share:g} cannot be hidden; choose one in (0, 1)")
    shelf = Shelf.of(tables, share)
    fold = shelf.fold()
    if len(fold.test_users) < FEWEST_PLAYERS:
        raise TrainingError(
            f"{len(fold.test_users)} players have one of the {len(shelf.columns)} hidden games and "
            f"any other game; a launch needs at least {FEWEST_PLAYERS}: raise the share, or ingest "
            "more batches"
        )
    trial = _Trial(shelf, seed)
    first = _fitted(model, config, fold)
    rivals = trial.rivals(fold)
    days = [{"day": 0, **trial.judged(first, fold, rivals)}]
    days.append({"day": 7, **_after_a_week(trial, model, config, first)})
    return {"games": trial.games(), "days": days}


def _after_a_week(
    trial: _Trial, model: type[Model], config: Any, first: Recommender
) -> dict[str, Any]:
    week = trial.shelf.first_week
    if week is None:
        return {"why": "the rows are not dated: nobody knows what a first week brought"}
    fold = trial.shelf.fold(week)
    if len(fold.test_users) < FEWEST_PLAYERS:
        return {
            "why": f"only {len(fold.test_users)} players took a hidden game after its first week"
        }
    rivals: dict[str, Scorer] = {
        "model of day 0": first,
        "popularity of the week": Same(fold.train.counts / len(fold.train.users)),
        **trial.rivals(fold),
    }
    return trial.judged(_fitted(model, config, fold), fold, rivals)


def _fitted(model: type[Model], config: Any, fold: Fold) -> Recommender:
    return covered(cast("Recommender", model.fit(fold.train, config)), fold.train, fold.train)


@dataclass(frozen=True, slots=True)
class _Trial:
    shelf: Shelf
    seed: int

    @property
    def recall_at(self) -> int:
        """A fifth of a short shelf: whoever shows all of it finds everything."""
        return min(RECALL_AT, len(self.shelf.columns) // 5)

    def games(self) -> dict[str, Any]:
        """What was hidden."""
        shelf = self.shelf
        whole, days = shelf.whole, shelf.released[shelf.columns]
        owners = np.bincount(whole.matrix.indices, minlength=len(whole.items))[shelf.columns]
        popular = shelf.columns[np.argsort(-owners, kind="stable")[:5]]
        return {
            "hidden": len(shelf.columns),
            "eligible": shelf.eligible,
            "of": len(whole.items),
            "released_from": str(np.datetime64(int(days.min()), "D")),
            "released_until": str(np.datetime64(int(days.max()), "D")),
            "interactions": int(shelf.new.sum()),
            "share_of_interactions": shelf.share_of_interactions,
            "most_owned": whole.items[popular].tolist(),
        }

    def rivals(self, fold: Fold) -> dict[str, Scorer]:
        """Who needs to know no player."""
        known = fold.train.counts / len(fold.train.users)
        known[self.shelf.columns] = 0.0
        catalogue = self.shelf.catalogue
        return {
            "random, one draw": Drawn(self.seed),
            GENRE: by_genre(catalogue, known),
            "maker's popularity": by_maker(catalogue, known),
        }

    def judged(
        self, model: Recommender, fold: Fold, rivals: Mapping[str, Scorer]
    ) -> dict[str, Any]:
        """All lists of new games, and how often the model shows new games among all."""
        scores, ranking = [], self._ranked(model, fold)
        scores.append(self._score(MODEL, self._values(ranking)))
        scores.append(self._score(CHANCE, self._chance(ranking, fold)))
        for name, rival in rivals.items():
            scores.append(self._score(name, self._values(self._ranked(rival, fold))))
        means = {score["name"]: score["recall"]["mean"] for score in scores}
        return {
            "players": len(ranking.users),
            "interactions": len(ranking.wanted),
            "recall_at": self.recall_at,
            "ndcg_at": NDCG_AT,
            "scores": scores,
            "times": {name: _times(means[MODEL], means[name]) for name in (CHANCE, GENRE)},
            "exposure": self._exposure(model, fold),
        }

    def _ranked(self, scorer: Scorer, fold: Fold) -> Ranking:
        return rank(OnlyNew(scorer, self.shelf.columns), fold, depth=RECALL_AT)

    def _values(self, ranking: Ranking) -> tuple[Values, Values]:
        return recall(ranking, self.recall_at), ndcg(ranking, NDCG_AT)

    def _chance(self, ranking: Ranking, fold: Fold) -> tuple[Values, Values]:
        had = fold.train.matrix[:, self.shelf.columns][ranking.users]
        candidates = len(self.shelf.columns) - np.diff(had.indptr)
        return (
            recall_by_chance(candidates, self.recall_at),
            ndcg_by_chance(candidates, ranking.held_out, NDCG_AT),
        )

    def _score(self, name: str, values: tuple[Values, Values]) -> dict[str, Any]:
        found: dict[str, Any] = {"name": name}
        for metric, each in zip(("recall", "ndcg"), values, strict=True):
            interval = paired_bootstrap(each, np.zeros_like(each), seed=self.seed)
            found[metric] = {"mean": interval.mean, "low": interval.low, "high": interval.high}
        return found

    def _exposure(self, model: Recommender, fold: Fold) -> dict[str, Any]:
        """Of the lists of all games, known and new: what share of their places is new games'."""
        players = np.flatnonzero(np.diff(fold.train.matrix.indptr))
        if len(players) > MOST_PLAYERS:
            drawn = np.random.default_rng(self.seed).choice(players, MOST_PLAYERS, replace=False)
            players = np.sort(drawn)
        shown = [np.empty(0, dtype=np.int64)]
        for start in range(0, len(players), BLOCK):
            histories = fold.histories(players[start : start + BLOCK])
            scores = model.predict(histories)
            rows = np.repeat(np.arange(len(histories)), histories.lengths)
            scores[rows, histories.matrix.indices] = -np.inf
            shown.append(top_k(scores, SHOWN).ravel())
        places = np.concatenate(shown)
        places = places[places >= 0]
        new = places[np.isin(places, self.shelf.columns)]
        return {
            "at": SHOWN,
            "players": len(players),
            "share_of_places": len(new) / max(1, len(places)),
            "games_shown": len(np.unique(new)),
            "share_of_interactions": self.shelf.share_of_interactions,
        }


def _times(model: float, other: float) -> float | None:
    return model / other if other > 0 else None
