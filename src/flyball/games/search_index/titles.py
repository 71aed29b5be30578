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
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from flyball.games.search_index.likeness import word_likeness
from flyball.games.search_index.near_words import NearWords, numbered
from flyball.games.search_index.postings import Postings
from flyball.games.search_index.short_forms import Initials
from flyball.games.texts import SortedTexts, Texts
from flyball.recommend.arrays import open_array, write_array

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
        words: all there are.
        flat: int32, the words of all titles, one title after the other.
        ends: int64, shape (n_titles,): where the words of each end.
        of_word: the titles that have each word.
        initials: of the titles.
    """

    def __init__(
        self,
        titles: SortedTexts,
        words: NearWords,
        flat: NDArray[np.int32],
        ends: _Int,
        *,
        of_word: Postings,
        initials: Initials,
    ) -> None:
        self._titles, self._words, self._flat, self._ends = titles, words, flat, ends
        self._of_word, self._initials = of_word, initials

    @classmethod
    def of(cls, titles: Sequence[str]) -> Self:
        """Take them apart."""
        flat = " ".join(titles).split(" ") if titles else []  # a blank title is one empty word
        numbers, words = numbered(flat)
        spaces = (title.count(" ") for title in titles)
        counts = np.fromiter(spaces, np.int64, len(titles)) + 1
        rows = np.repeat(np.arange(len(titles), dtype=np.int32), counts)
        return cls(
            SortedTexts.of(Texts.of(titles)),
            NearWords.of(words),
            numbers,
            np.cumsum(counts),
            of_word=Postings.of(numbers, rows, len(words)),
            initials=Initials.of(titles),
        )

    def __len__(self) -> int:
        return len(self._ends)

    def same(self, text: str) -> _Int:
        """Columns of the titles that are this very text, rising."""
        return self._titles.equal(text).astype(np.int64)

    def __contains__(self, word: object) -> bool:
        """Whether some title has this very word."""
        return word in self._words

    def weights(self, words: Sequence[str]) -> _Float:
        """Of each word; one in no title weighs as much as one in a single title."""
        known = [self._words.number(word) for word in words]
        uses = [1 if n is None else len(self._of_word.of_key(n)) for n in known]
        return self._weigh(np.array(uses, dtype=np.int64))

    def near(self, words: Sequence[str]) -> Iterator[_Int]:
        """Columns worth a look although they share few letters with the query: those whose
        initials it is, or its first word, and those with a short word that is one typo away."""
        for letters in dict.fromkeys([words[0], "".join(words)]):
            yield self._initials.begin(letters)
        unknown = [w for w in words if len(w) in _SHORT and w not in self._words]
        for word in unknown[:_MOST_UNKNOWN]:
            for number in self._words.one_typo_away(word):
                yield self._of_word.of_key(number).astype(np.int64)

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
        begins, counts = self._runs(columns)
        starts = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) + np.repeat(begins - starts, counts)
        distinct, which = np.unique(self._flat[places], return_inverse=True)
        known = [self._words.words[number] for number in distinct.tolist()]
        alike = word_likeness(words, known, certain)[:, which]
        self._add_initials(words, alike, columns, starts)
        uses = [len(self._of_word.of_key(number)) for number in distinct.tolist()]
        weights, theirs = self.weights(words), self._weigh(np.array(uses, dtype=np.int64))[which]
        found = np.maximum.reduceat(alike, starts, axis=1)
        asked = weights @ found / weights.sum()
        covered = np.add.reduceat(alike.max(axis=0) * theirs, starts)
        covered /= np.add.reduceat(theirs, starts)
        by_words = np.minimum(asked * (1 - _COVERED + _COVERED * covered), _ALMOST)
        return np.maximum(by_words, self._whole(query, columns, certain=all(certain))), found

    def _runs(self, columns: _Int) -> tuple[_Int, _Int]:
        """Where the words of each of these titles begin in ``flat``, and how many they are."""
        begins = np.where(columns > 0, self._ends[columns - 1], 0)
        return begins, self._ends[columns] - begins

    def _weigh(self, uses: _Int) -> _Float:
        """What words weigh that so many titles have."""
        count = len(self._ends)
        most = np.log1p(max(count, 1))
        return np.asarray(np.log1p(count / np.maximum(uses, 1)) / most, dtype=np.float32)

    def _add_initials(
        self, words: Sequence[str], alike: _Float, columns: _Int, starts: _Int
    ) -> None:
        """A word such as "gta" also stands for the first words of a title, one for each letter."""
        counts = np.diff(starts, append=alike.shape[1])
        runs = [(alike[row : row + 1], word) for row, word in enumerate(words)]
        if len(words) > 1:  # "l 4 d 2"
            runs.append((alike, "".join(words)))
        for rows, word in runs:
            named = self._initials.begin(word)
            for place in np.flatnonzero(np.isin(columns, named)).tolist() if named.size else ():
                end = starts[place] + min(len(word), int(counts[place]))
                run = rows[:, starts[place] : end]
                np.maximum(run, _INITIALS, out=run)

    def _whole(self, query: str, columns: _Int, *, certain: bool) -> _Float:
        titles = [self._titles.texts[column] for column in columns.tolist()]
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

    def save(self, directory: Path, name: str) -> None:
        """Write files called ``<name>_*``."""
        self._titles.save(directory, name)
        self._words.save(directory, name)
        write_array(directory, f"{name}_flat", self._flat)
        write_array(directory, f"{name}_ends", self._ends)
        self._of_word.save(directory, f"{name}_of_word")
        self._initials.save(directory, f"{name}_initials")

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        return cls(
            SortedTexts.load(directory, name),
            NearWords.load(directory, name),
            open_array(directory, f"{name}_flat", ndim=1, dtype=np.int32),
            open_array(directory, f"{name}_ends", ndim=1, dtype=np.int64),
            of_word=Postings.load(directory, f"{name}_of_word"),
            initials=Initials.load(directory, f"{name}_initials"),
        )
