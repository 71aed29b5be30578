"""Other ways to write what a title says: its initials, and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flyball.games.search_index.spelling import codes_of
from flyball.games.texts import SortedTexts, Texts
from flyball.recommend.arrays import open_array, write_array

_ROMAN = (
    "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx".split()  # noqa: SIM905
)
_SPELLED = "one two three four five six seven eight nine ten".split()  # noqa: SIM905
_SHORTEST, _LONGEST = 2, 8
_SPACE, _NEWLINE = 32, 10


def same_number(word: str) -> frozenset[str]:
    """Other spellings of a number up to 20: "7" gives "vii" and "seven"; empty for other words."""
    return _numbers().get(word, frozenset())


@cache
def _numbers() -> dict[str, frozenset[str]]:
    spellings = [{str(value), roman} for value, roman in enumerate(_ROMAN, start=1)]
    for names, spelled in zip(spellings, _SPELLED, strict=False):
        names.add(spelled)
    return {name: frozenset(names - {name}) for names in spellings for name in names}


class Initials:
    """The initials of all titles: "gtav" for Grand Theft Auto V, "cod4"; numbers stay whole.

    Args:
        initials: of each title.
        after_the: those of the titles that begin with "the", without its letter.
        columns: int32, shape (n,): the titles of these.
    """

    def __init__(
        self, initials: SortedTexts, after_the: SortedTexts, columns: NDArray[np.int32]
    ) -> None:
        self._begun, self._begun_after_the = initials, after_the
        self._columns = columns

    @classmethod
    def of(cls, titles: Sequence[str]) -> Self:
        """Of titles as ``searchable`` gives them."""
        initials = _initials(titles)
        columns = [
            column
            for column, letters in enumerate(initials)
            if letters[0:1] == "t" and titles[column].startswith("the ")
        ]
        return cls(
            SortedTexts.of(Texts.of(initials)),
            SortedTexts.of(Texts.of(initials[column][1:] for column in columns)),
            np.array(columns, dtype=np.int32),
        )

    def begin(self, letters: str) -> NDArray[np.int64]:
        """Columns of the titles whose initials begin so, in no order; none for under 2 or over 8
        letters. A "the" in front may be left out: "boi" finds The Binding of Isaac."""
        if not _SHORTEST <= len(letters) <= _LONGEST:
            return np.empty(0, dtype=np.int64)
        after_the = self._columns[self._begun_after_the.begun(letters)]
        return np.concatenate([self._begun.begun(letters), after_the]).astype(np.int64)

    def save(self, directory: Path, name: str) -> None:
        """Write files called ``<name>_*``."""
        self._begun.save(directory, f"{name}_all")
        self._begun_after_the.save(directory, f"{name}_the")
        write_array(directory, f"{name}_columns", self._columns)

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Open what ``save`` wrote, mapped from disk.

        Raises:
            ArtifactCorrupt: a file is missing or damaged.
        """
        return cls(
            SortedTexts.load(directory, f"{name}_all"),
            SortedTexts.load(directory, f"{name}_the"),
            open_array(directory, f"{name}_columns", ndim=1, dtype=np.int32),
        )


def _initials(titles: Sequence[str]) -> list[str]:
    codes = codes_of("\n" + "\n".join(titles))
    line_feed = codes == _NEWLINE
    begins = np.ones(codes.size, dtype=np.bool_)
    begins[1:] = (codes[:-1] == _SPACE) | line_feed[:-1]
    digit = (codes >= ord("0")) & (codes <= ord("9"))
    kept = codes[(begins | digit | line_feed) & (codes != _SPACE)]
    text = kept.tobytes().decode("utf-32-le", "surrogatepass")
    initials: list[str] = text.split("\n")
    return initials[1:]
