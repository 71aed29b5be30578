"""Other ways to write what a title says: its initials, and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flyball.games.search_index.spelling import codes_of

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
        titles: as ``searchable`` gives them.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        codes = codes_of("\n" + "\n".join(titles))
        line_feed = codes == _NEWLINE
        begins = np.ones(codes.size, dtype=np.bool_)
        begins[1:] = (codes[:-1] == _SPACE) | line_feed[:-1]
        digit = (codes >= ord("0")) & (codes <= ord("9"))
        kept = codes[(begins | digit | line_feed) & (codes != _SPACE)]
        text = kept.tobytes().decode("utf-32-le", "surrogatepass")
        self._initials = text.split("\n")[1:]
        self._begun: dict[str, list[int]] = {}
        self._begun_after_the: dict[str, list[int]] = {}
        for column, initials in enumerate(self._initials):
            self._begun.setdefault(initials[:_SHORTEST], []).append(column)
            if initials[0:1] == "t" and titles[column].startswith("the "):
                begun = initials[1 : 1 + _SHORTEST]
                self._begun_after_the.setdefault(begun, []).append(column)

    def begin(self, letters: str) -> NDArray[np.int64]:
        """Columns of the titles whose initials begin so, in no order; none for under 2 or over 8
        letters. A "the" in front may be left out: "boi" finds The Binding of Isaac."""
        if not _SHORTEST <= len(letters) <= _LONGEST:
            return np.empty(0, dtype=np.int64)
        two, initials = letters[:_SHORTEST], self._initials
        columns = [c for c in self._begun.get(two, ()) if initials[c].startswith(letters)]
        columns += [
            c for c in self._begun_after_the.get(two, ()) if initials[c].startswith(letters, 1)
        ]
        return np.array(columns, dtype=np.int64)
