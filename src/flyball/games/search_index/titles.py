"""How well a title fits what somebody typed.

Of each word of the query the most similar word of the title counts (``likeness.py``; .85 where it
is the title's initials), and the other way round. With the weights ``w`` of words (rare ones weigh
more, see ``Titles``)::

    asked   = sum over words q of the query, w(q) * likeness of q / sum of w(q)
    covered = sum over words t of the title, w(t) * likeness of t / sum of w(t)
    quality = max(asked * (0.75 + 0.25 * covered), whole)

``whole`` compares both as one string, so that words run together or torn apart are found too:
1 - (optimal string alignment distance) / (longer length), or 0.9 times the same for the beginning
of the title that is as long as the query. Where every word of the query is certain to be spelled
as it is meant, ``whole`` counts only from .8 on, and only a beginning without typos. 1 is kept for
the title itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from flyball.games.search_index.likeness import word_likeness
from flyball.games.search_index.near_words import NearWords, numbered
from flyball.games.search_index.postings import Postings
from flyball.games.search_index.short_forms import Initials

_COVERED, _INITIALS, _UNFINISHED = 0.25, 0.85, 0.9
_ALMOST, _CLOSE = 0.99, 0.8
_SHORT = range(3, 8)
"""Letters of a word of which one typo can leave too few pairs of letters to find it by."""
_MOST_UNKNOWN = 3

_Float = NDArray[np.float32]
_Int = NDArray[np.int64]


class Titles:
    """The words of all titles. Immutable: any number of threads may ask at a time.

    A word in ``d`` of ``n`` titles weighs log(1 + n / d) / log(1 + n), within (0, 1].

    Args:
        titles: as ``searchable`` gives them.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        flat = " ".join(titles).split(" ") if titles else []  # a blank title is one empty word
        self._titles = titles
        self._flat, words = numbered(flat)
        self._words = NearWords(words)
        spaces = (title.count(" ") for title in titles)
        self._counts = np.fromiter(spaces, np.int64, len(titles)) + 1
        self._starts = np.cumsum(self._counts) - self._counts
        rows = np.repeat(np.arange(len(titles), dtype=np.int32), self._counts)
        self._of_word = Postings(self._flat, rows, len(self._words))
        most = np.log1p(max(len(titles), 1))
        uses = np.maximum(self._of_word.sizes, 1)
        self._weights = (np.log1p(len(titles) / uses) / most).astype(np.float32)
        self._initials = Initials(titles)

    def __contains__(self, word: object) -> bool:
        """Whether some title has this very word."""
        return word in self._words

    def weights(self, words: Sequence[str]) -> _Float:
        """Of each word; one in no title weighs as much as one in a single title."""
        known = (self._words.number.get(word) for word in words)
        return np.array([1.0 if n is None else self._weights[n] for n in known], dtype=np.float32)

    def near(self, words: Sequence[str]) -> Iterator[_Int]:
        """Columns worth a look although they share few letters with the query: those whose
        initials it is, or its first word, and those with a short word that is one typo away."""
        for letters in dict.fromkeys([words[0], "".join(words)]):
            yield self._initials.begin(letters)
        unknown = [w for w in words if len(w) in _SHORT and w not in self._words]
        for word in unknown[:_MOST_UNKNOWN]:
            for number in self._words.one_typo_away(word):
                yield self._of_word.of(number).astype(np.int64)

    def fit(
        self, query: str, words: Sequence[str], certain: Sequence[bool], columns: _Int
    ) -> tuple[_Float, _Float]:
        """How well these titles fit a query.

        Args:
            query: as ``searchable`` gives it, not empty.
            words: the words of it that are looked at one by one.
            certain: shape (n_words,), those that are spelled as they are meant.
            columns: shape (n,), the titles; n >= 1.

        Returns:
            the quality of each, within [0, 1], and what was found of each word of the query,
            shape (n_words, n).
        """
        counts = self._counts[columns]
        starts = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) + np.repeat(self._starts[columns] - starts, counts)
        flat = self._flat[places]
        distinct, which = np.unique(flat, return_inverse=True)
        known = [self._words.words[number] for number in distinct.tolist()]
        alike = word_likeness(words, known, certain)[:, which]
        self._add_initials(words, alike, columns, starts)
        weights, theirs = self.weights(words), self._weights[flat]
        found = np.maximum.reduceat(alike, starts, axis=1)
        asked = weights @ found / weights.sum()
        covered = np.add.reduceat(alike.max(axis=0) * theirs, starts)
        covered /= np.add.reduceat(theirs, starts)
        by_words = np.minimum(asked * (1 - _COVERED + _COVERED * covered), _ALMOST)
        return np.maximum(by_words, self._whole(query, columns, certain=all(certain))), found

    def _add_initials(
        self, words: Sequence[str], alike: _Float, columns: _Int, starts: _Int
    ) -> None:
        """A word such as "gta" also stands for the first words of a title, one for each letter."""
        runs = [(alike[row : row + 1], word) for row, word in enumerate(words)]
        if len(words) > 1:  # "l 4 d 2"
            runs.append((alike, "".join(words)))
        for rows, word in runs:
            named = self._initials.begin(word)
            for place in np.flatnonzero(np.isin(columns, named)).tolist() if named.size else ():
                end = starts[place] + min(len(word), int(self._counts[columns[place]]))
                run = rows[:, starts[place] : end]
                np.maximum(run, _INITIALS, out=run)

    def _whole(self, query: str, columns: _Int, *, certain: bool) -> _Float:
        titles = [self._titles[column] for column in columns.tolist()]
        begun = [title[: len(query)] for title in titles]
        one = [query]
        both = cdist(one, titles + begun, scorer=OSA.normalized_similarity, dtype=np.float32)[0]
        whole, unfinished = both[: len(titles)], both[len(titles) :]
        exact = whole == 1
        if certain:
            whole = np.where(whole < _CLOSE, 0, whole)
            unfinished = np.where(unfinished < 1, 0, unfinished)
        best = np.minimum(np.maximum(whole, _UNFINISHED * unfinished), _ALMOST)
        return np.where(exact, np.float32(1), best).astype(np.float32, copy=False)
