"""Who was answered in a short stretch of a rollout, and to whom something happened: as tags.

A busy stretch keeps the lowest tags only (a bottom-k sketch). Tags are drawn at random and name
the same unit in every process, so all stretches together still tell what happened to each unit
below the lowest bound of them: a fair sample, which no version has a part in choosing.
"""

from __future__ import annotations

from collections.abc import Iterable

from flyball.domain.judging import Measure
from flyball.domain.routing import TAGS, Watch

MOST = {Measure.SEEN: 64, Measure.FAILED: 256, Measure.SLOW: 256}
"""Tags that one stretch keeps: most of those seen are seen again in the next one."""


class Lowest:
    """The lowest of many tags, distinct. Memory: at most twice as many as it keeps.

    Args:
        most: how many it keeps.
    """

    __slots__ = ("_below", "_most", "_tags")

    def __init__(self, most: int) -> None:
        self._most, self._below = most, TAGS
        self._tags: set[int] = set()

    def add(self, tags: Iterable[int]) -> None:
        """Take tags in; each in [0, ``TAGS``)."""
        below = self._below
        self._tags.update(tag for tag in tags if tag < below)
        if len(self._tags) > 2 * self._most:
            self._cut()

    def kept(self) -> tuple[tuple[int, ...], int | None]:
        """The tags, ascending; and the first that is not kept, None where all are."""
        self._cut()
        return tuple(sorted(self._tags)), None if self._below == TAGS else self._below

    def _cut(self) -> None:
        if len(self._tags) > self._most:
            rising = sorted(self._tags)
            self._tags, self._below = set(rising[: self._most]), rising[self._most]


class Units:
    """The units of one version in one stretch.

    Attributes:
        salt: under which they were drawn.
    """

    __slots__ = ("_lowest", "salt")

    def __init__(self, salt: str) -> None:
        self.salt = salt
        self._lowest: dict[Measure, Lowest] = {}

    def note(self, tags: Iterable[int], watch: Watch, seconds: float, *, failed: bool) -> None:
        """Units got an answer after so many seconds, or an error.

        Those of another salt are passed over: they were answered as one rollout followed another.
        """
        if watch.salt != self.salt:
            return
        self._add(Measure.SEEN, tags)
        if failed:
            self._add(Measure.FAILED, tags)
        if seconds > watch.slow_above_s:
            self._add(Measure.SLOW, tags)

    def kept(self) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
        """``Window.units`` and ``Window.units_below``."""
        units, bounds = dict[str, tuple[int, ...]](), dict[str, int]()
        for measure, lowest in self._lowest.items():
            units[measure.value], below = lowest.kept()
            if below is not None:
                bounds[measure.value] = below
        return units, bounds

    def _add(self, measure: Measure, tags: Iterable[int]) -> None:
        lowest = self._lowest.get(measure)
        if lowest is None:
            lowest = self._lowest[measure] = Lowest(MOST[measure])
        lowest.add(tags)
