"""A loaded games model, ready to answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Unpack

import numpy as np
from numpy.typing import NDArray

from flyball.errors import NotFound
from flyball.games.answering import (
    NO_OVERLAY,
    Barrier,
    Question,
    Slate,
    Wishes,
    best_of,
    limits,
    probabilities_of,
)
from flyball.games.business_rules import GameRules, RulesHere
from flyball.games.filters import FilterIndex
from flyball.games.ids import REMEMBERED
from flyball.games.messages import Filters
from flyball.games.reasons import Sums, Why, whys
from flyball.games.replies import FoundGame, Recommendation, SimilarGame, Verdict
from flyball.games.smoke import smoke
from flyball.games.top import top
from flyball.games.why_not import Fate, ranked, stopped, unknown
from flyball.recommend.histories import History
from flyball.recommend.protocols import Terms

if TYPE_CHECKING:
    from flyball.games.artifact import Artifact
    from flyball.games.catalogue import Catalogue

OWNING = ("purchase", "play")
TINY = 1e-30
NOTHING = History(np.empty(0, dtype=np.int64))


@dataclass(slots=True)
class Answer:
    """Recommended games, best first; underfilled iff they are fewer than were asked for."""

    items: list[Recommendation]
    underfilled: bool


class GamesServable:
    """Answers from one artifact. Read-only and thread-safe: all requests of a worker share it."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self._filters = FilterIndex(artifact.catalogue)
        self._title = lru_cache(maxsize=REMEMBERED)(partial(_title_of, artifact.catalogue))
        # The last rules asked under, in terms of this catalogue: set whole, so threads may race.
        self._rules: RulesHere | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The games that this model knows."""
        return self.artifact.catalogue

    @property
    def genres(self) -> Mapping[str, int]:
        """How many games there are of each genre."""
        return self._filters.genres

    def recommend(
        self,
        user_id: str | None,
        history: Iterable[str] = (),
        k: int = 10,
        filters: Filters | None = None,
        **wishes: Unpack[Wishes],
    ) -> Answer:
        """The best ``k`` games that the player neither has, hides nor filters out.

        Args:
            user_id, history, k, filters, wishes: see ``Question``.
        """
        return self.answers([Question(user_id, history, k, filters, wishes)])[0]

    def answers(self, questions: Sequence[Question], *, popular: bool = False) -> list[Answer]:
        """What to recommend, to each question: ``k`` games the player may be shown, the best first.

        The player's games are those of the artifact, of ``history`` and of the purchases and plays
        in the overlay, together; games the model does not know are passed over. A player of whom
        no game is known gets the popular games. ``answering`` says in which order filters, rules
        and diversity come.

        Args:
            popular: by popularity alone: where the model cannot answer.
        """
        owned = [
            self.owned(q.user_id, q.history, q.wishes.get("overlay", NO_OVERLAY)) for q in questions
        ]
        slates = [
            self._slate(games, q.filters, q.wishes, popular=popular)
            for games, q in zip(owned, questions, strict=True)
        ]
        best = best_of(slates, [q.k for q in questions])
        for slate, columns, question in zip(slates, best, questions, strict=True):
            if len(columns) < question.k:
                slate.check_finite()
        reasons = self._whys(best, [NOTHING] * len(owned) if popular else owned)
        chances = probabilities_of(slates, best)
        return [
            self._answer(question.k, columns, scores, why)
            for question, columns, scores, why in zip(
                questions, best, chances, reasons, strict=True
            )
        ]

    def _answer(
        self, k: int, columns: NDArray[np.int64], chances: list[float], reasons: list[Why]
    ) -> Answer:
        id_of, title_of = self.artifact.items.of, self._title
        items = [
            Recommendation(id_of(c), title_of(c), chance, why.reasons, why.rest, why.exact)
            for c, chance, why in zip(columns.tolist(), chances, reasons, strict=True)
        ]
        return Answer(items, underfilled=len(items) < k)

    def why_not(
        self,
        user_id: str | None,
        game_id: str,
        history: Iterable[str] = (),
        k: int = 10,
        filters: Filters | None = None,
        **wishes: Unpack[Wishes],
    ) -> Fate:
        """What becomes of one game where ``recommend`` is asked the same."""
        column = self.artifact.index.get(game_id)
        if column is None:
            return unknown(game_id)
        owned = self.owned(user_id, history, wishes.get("overlay", NO_OVERLAY))
        slate = self._slate(owned, filters, wishes)
        game, found = self.catalogue.games[column], self._whys([np.array([column])], [owned])[0][0]
        barrier, place = slate.barrier(column), None
        verdict: Verdict
        if barrier is not None:
            verdict, detail = barrier.verdict, stopped(barrier, game, filters, wishes)
        else:
            place = slate.place(column, k)
            verdict, detail = ranked(place, k, game)
        return Fate(
            verdict=verdict,
            detail=detail,
            rank=place,
            score=slate.probabilities(np.array([column]))[0],
            reasons=found.reasons,
            rest=found.rest,
            exact=found.exact,
        )

    def owned(
        self,
        user_id: str | None,
        history: Iterable[str] = (),
        overlay: Mapping[str, frozenset[str]] = NO_OVERLAY,
    ) -> History:
        """The games a player has, columns rising and distinct.

        How long those beside the record were played is not known; they are as new as the newest
        of the record.
        """
        recorded = self.artifact.history("" if user_id is None else user_id)
        told = set(history).union(*(overlay.get(event, ()) for event in OWNING))
        if not told:
            return recorded
        columns = self.artifact.items.columns(told)
        items, first = np.unique(np.concatenate([recorded.items, columns]), return_index=True)
        new = first >= len(recorded)
        return History(
            items,
            _with(recorded.hours, first, new, np.nan),
            _with(recorded.days, first, new, self.artifact.newest),
        )

    def similar(
        self, game_id: str, k: int, content: float = 0.0, rules: GameRules | None = None
    ) -> tuple[SimilarGame, ...]:
        """The games most like ``game_id``, best first; never itself, at most ``k``.

        Args:
            content: 0: what the same players have; 1: what is described alike (the cosine);
                between: so much of this and the rest of that, as a share of the likest. A game
                nobody has yet is compared by what it is.
            rules: what the shop hides is left out.

        Raises:
            NotFound: the model does not know the game.
        """
        column = self.artifact.index.get(game_id)
        if column is None:
            raise unknown_game(game_id)
        scores = self._alike(column, content)
        scores[scores <= 0.0] = -np.inf
        scores[column] = -np.inf
        if rules is not None:
            scores[self._here(rules).hidden] = -np.inf
        return tuple(
            SimilarGame(self.artifact.items[c], self._title(c), float(scores[c]))
            for c in top(scores, k, self.artifact.fame).tolist()
        )

    def search(self, text: str, k: int) -> tuple[FoundGame, ...]:
        """At most ``k`` games that fit what somebody typed, the best first."""
        return tuple(
            FoundGame(self.artifact.items[m.column], self._title(m.column), m.score, m.matched)
            for m in self.artifact.search.search(text, k)
        )

    def smoke(self) -> int:
        """Answer as players would ask, and check each answer; returns how many there were.

        Raises:
            DeploymentError: an answer was wrong; says which.
        """
        return smoke(self)

    def _slate(
        self, owned: History, filters: Filters | None, wishes: Wishes, *, popular: bool = False
    ) -> Slate:
        artifact, rules, diversity = self.artifact, wishes.get("rules"), wishes.get("diversity")
        popular = popular or not len(owned)
        scores = artifact.shares if popular else artifact.model.score(owned)
        calibration = artifact.popular if popular else artifact.calibration
        here = None if rules is None else self._here(rules)
        if diversity is None:
            diversity = 0.0 if here is None else here.diversity
        barriers = [Barrier("owned", columns=owned.items)]
        if disliked := wishes.get("overlay", NO_OVERLAY).get("dislike"):
            barriers.append(Barrier("hidden", "player", columns=artifact.items.columns(disliked)))
        if here is not None and len(here.hidden):
            barriers.append(Barrier("hidden", "shop", columns=here.hidden))
        if filters is not None:
            barriers += self._filters.barriers(filters)
        if (least := wishes.get("min_score")) is not None:
            enough = scores >= np.float32(calibration.inverse(least))
            barriers.append(Barrier("below_score", limits=limits(enough)))
        return Slate(
            scores,
            barriers,
            calibration=calibration,
            fame=artifact.fame,
            features=artifact.embeddings,
            diversity=diversity,
            rules=here,
            now=wishes.get("now"),
        )

    def _here(self, rules: GameRules) -> RulesHere:
        known = self._rules
        if known is None or known.source is not rules:
            known = self._rules = RulesHere(rules, self.catalogue, self.artifact.index)
        return known

    def _alike(self, column: int, content: float) -> NDArray[np.float32]:
        """Shape (n_games,); a new array."""
        vectors = self.artifact.embeddings
        if vectors is not None and self.artifact.popularity[column] == 0:
            content = 1.0
        if vectors is None or not content:
            return self.artifact.model.similar(column)
        cosines: NDArray[np.float32] = np.maximum(vectors @ vectors[column], 0.0)
        if content >= 1.0:
            return cosines
        mixed = np.maximum(self.artifact.model.similar(column), 0.0)
        mixed *= (1.0 - content) / max(float(mixed.max()), TINY)
        mixed += content * cosines
        return mixed

    def _whys(
        self, lists: Sequence[NDArray[np.int64]], owned: Sequence[History]
    ) -> list[list[Why]]:
        """The reasons for each game of each list."""
        sums = [self._sums(*each) for each in zip(lists, owned, strict=True)]
        return whys(sums, self.artifact.items.of)

    def _sums(self, columns: NDArray[np.int64], owned: History) -> Sums:
        if len(owned):
            return Sums(self.artifact.model.terms(owned, columns), owned.items)
        none = np.empty((len(columns), 0), dtype=np.float32)
        return Sums(Terms(none, base=self.artifact.shares[columns]), owned.items)


def _title_of(catalogue: Catalogue, column: int) -> str:
    return catalogue.games[column].title


def _with(
    recorded: NDArray[np.float32] | None,
    first: NDArray[np.int64],
    new: NDArray[np.bool_],
    value: float,
) -> NDArray[np.float32] | None:
    """Recorded values where there are such, else ``value``."""
    if recorded is None:
        return None
    whole = np.full(len(first), value, dtype=np.float32)
    whole[~new] = recorded[first[~new]]
    return whole


def unknown_game(game_id: str) -> NotFound:
    """The error for a game that the model does not know."""
    return NotFound(
        f"no game {game_id!r} in this version's catalogue; search for it with GET /v1/search?q="
    )
