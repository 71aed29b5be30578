"""Free text in, games out: titles first, then what genres, tags and developers say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidRequest
from flyball.games.catalogue import Catalogue
from flyball.games.search_index.content import ContentWords
from flyball.games.search_index.ngrams import NGrams
from flyball.games.search_index.short_forms import same_number
from flyball.games.search_index.spelling import LONGEST, searchable
from flyball.games.search_index.titles import Titles
from flyball.recommend.arrays import open_array, write_array

_MOST_WORDS = 12
"""Words of a query that are looked at one by one, the first ones."""
_LEAST = 0.65
_CLOSEST, _POPULAR = 120, 40
"""Candidates by letters in common; by initials, by content and of the very title."""
_NUDGE = 0.05
"""What being the most popular adds to the closeness, within [0, 1], that makes a candidate."""

_Float = NDArray[np.float32]
_Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Match:
    """One game that fits a query.

    Attributes:
        column: of the game in the catalogue.
        score: within (0, 1], see ``SearchIndex.search``. Not a probability.
        matched: ``"title"`` or ``"content"`` (genres, tags, developer).
    """

    column: int
    score: float
    matched: Literal["title", "content"]


class SearchIndex:
    """Everything needed to search a catalogue, built once.

    Immutable: any number of threads may search at a time.

    Args:
        titles: as ``searchable`` gives them.
        grams: of the titles.
        content: of the games.
        popularity: int32, shape (n_games,).
        rank: float32, shape (n_games,), in [0, 1): by rising popularity.
    """

    def __init__(
        self,
        titles: Titles,
        grams: NGrams,
        content: ContentWords,
        *,
        popularity: NDArray[np.int32],
        rank: _Float,
    ) -> None:
        self._titles, self._grams, self._content = titles, grams, content
        self._popularity, self._rank = popularity, rank

    @classmethod
    def of(cls, catalogue: Catalogue, popularity: NDArray[np.int32]) -> Self:
        """Build it.

        Args:
            catalogue: whose games are found.
            popularity: shape (n_games,), for example players of each; the larger goes first where
                scores are equal.

        Raises:
            InvalidRequest: the shapes differ.
        """
        if popularity.shape != (len(catalogue),):
            raise InvalidRequest(
                f"popularity has shape {popularity.shape} for {len(catalogue)} games; "
                "give one number for each game of the catalogue"
            )
        games = list(catalogue)
        titles = searchable([game.title for game in games])
        rank = np.empty(len(titles), dtype=np.float32)
        rank[np.argsort(popularity, kind="stable")] = np.arange(len(titles)) / max(len(titles), 1)
        return cls(
            Titles.of(titles),
            NGrams.of(titles),
            ContentWords.of(games),
            popularity=popularity,
            rank=rank,
        )

    def __len__(self) -> int:
        return len(self._titles)

    def save(self, directory: Path) -> None:
        """Write it into a directory of its own (made if absent).

        Raises:
            StorageUnavailable: the disk refused it.
        """
        self._titles.save(directory, "titles")
        self._grams.save(directory, "grams")
        self._content.save(directory, "content")
        write_array(directory, "popularity", self._popularity.astype(np.int32))
        write_array(directory, "rank", self._rank)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote, mapped from disk: processes share one copy in memory.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        popularity = open_array(directory, "popularity", ndim=1, dtype=np.int32)
        return cls(
            Titles.load(directory, "titles"),
            NGrams.load(directory, "grams"),
            ContentWords.load(directory, "content", len(popularity)),
            popularity=popularity,
            rank=open_array(directory, "rank", ndim=1),
        )

    def search(self, query: str, k: int) -> list[Match]:
        """The ``k`` games that fit best, scores falling. Any text is fine; a blank one, and
        ``k`` below 1, find nothing. Of a long one the first 200 characters count.

        A game fits by its title where its quality (see ``titles.py``) is at least .65; it scores
        0.5 + quality / 2, more than any game that fits by content only: that one scores half the
        share of the query's words (by weight) found in title and content, if at least .65 of them
        and not in the title alone.
        Both are rounded to hundredths before they are halved; equal scores are ordered by
        popularity, then by column.
        """
        text = searchable([query[:LONGEST]])[0]
        if not text or k < 1 or not len(self._popularity):
            return []
        words = list(dict.fromkeys(text.split()))[:_MOST_WORDS]
        meant = [word in self._content for word in words]
        spelled = [word in self._titles or known for word, known in zip(words, meant, strict=True)]
        content, weights = self._content.found(words, certain=spelled), self._titles.weights(words)
        columns = self._candidates(text, weights @ content / weights.sum(), k)
        quality, found = self._titles.fit(text, words, meant, columns)
        content = content[:, columns]
        both = weights @ np.maximum(found, content) / weights.sum()
        by_title = quality >= _LEAST
        fits = by_title | ((both >= _LEAST) & content.any(axis=0))
        score = np.where(by_title, 50 + _percent(quality) / 2, _percent(both) / 2) / 100
        order = np.lexsort((columns, -self._popularity[columns], -score))
        best = order[fits[order]][:k]
        return [
            Match(int(columns[n]), float(score[n]), "title" if by_title[n] else "content")
            for n in best.tolist()
        ]

    def _candidates(self, text: str, content: _Float, k: int) -> _Int:
        """Columns worth a closer look, rising and distinct; a few times ``k``, or a few hundred."""
        same = self._titles.same(text)
        fits = np.flatnonzero(content >= _LEAST)
        most, fewer = max(_CLOSEST, 2 * k), max(_POPULAR, k)
        parts = [
            same[_top(self._rank[same], fewer)],
            fits[_top(content[fits] + self._rank[fits] * _NUDGE, fewer)],
        ]
        for near in self._titles.near(text.split()):
            parts.append(near[_top(self._rank[near], fewer)])
        for spelling in dict.fromkeys([text, _other_numbers(text)]):
            close = self._grams.closeness(spelling)
            close += self._rank * np.float32(_NUDGE)
            parts.append(_top(close, most))
        return np.unique(np.concatenate(parts))


def _top(values: _Float, most: int) -> _Int:
    """Places of the largest values, in no order."""
    if len(values) <= most:
        return np.arange(len(values))
    return np.argpartition(values, len(values) - most)[-most:]


def _percent(quality: _Float) -> NDArray[np.float64]:
    return np.rint(quality.astype(np.float64) * 100)


def _other_numbers(text: str) -> str:
    """The query with its numbers spelled another way: "7" as "vii", "vii" as "7"."""
    return " ".join(
        min(same_number(word), key=lambda other: (len(other), other), default=word)
        for word in text.split()
    )
