"""A little chance in a ranked list, with the exact probability of every item at its place.

Without chance a log says nothing of what another ranking would have earned. Here, now and then, one
item drawn from the best ones trades places with another of the list; nearly all lists stay as they
are, and the others change at two places at most. Each item of the pool may come to each free place,
and how likely it is there has a closed form, so that ``flyball.stats.experiments.off_policy`` can
weigh what was seen.

The idea: Li, Chu, Langford and Wang, "Unbiased offline evaluation of contextual-bandit-based news
article recommendation algorithms", WSDM 2011; a swap instead of a shuffle: Wang, Bendersky, Metzler
and Najork, "Learning to rank with selection bias in personal search", SIGIR 2016 (RandPair).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, TypeVar

from flyball.errors import InvalidRequest

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored(Generic[T]):
    """A list to be shown.

    Attributes:
        items: the best first, at most two of them elsewhere than ranked.
        propensities: of each, the probability of being at its place; in (0, 1].
        changed: whether chance moved something.
    """

    items: tuple[T, ...]
    propensities: tuple[float, ...]
    changed: bool


def explored(
    ranked: Sequence[T],
    k: int,
    *,
    rate: float,
    seed: str,
    fixed: Collection[int] = (),
) -> Explored[T]:
    """The first ``k`` of a ranking, of which ``rate`` of the lists have chance in them.

    In such a list a free place and an item of the pool (the free ones of the list, and all ranked
    behind it) are drawn, both evenly. An item of the list trades places; another takes the place.
    With m items in the pool and f free places, an item of the pool is then at a free place

    - ``2 * rate / (f * m)`` where it is of the list, at another's place;
    - ``rate / (f * m)`` where it is from behind the list;
    - ``1 - rate * (m + f - 2) / (f * m)`` at its own.

    Args:
        ranked: no item twice, the best first: those that may be shown at all. The more of them lie
            behind the list, the more rankings can be judged, and the more lists that takes.
        k: length of the list, at least 1; shorter where ``ranked`` is.
        rate: in [0, 1]. 0 changes nothing.
        seed: of the draw: the answer's id, or what else no two requests share.
        fixed: places (from 0) that chance leaves alone, such as pins.

    Raises:
        InvalidRequest: ``rate`` or ``k`` is out of range, or an item is ranked twice.
    """
    if not 0.0 <= rate <= 1.0 or k < 1:
        raise InvalidRequest(
            f"{k} items with chance in {rate} of the lists: ask for at least 1, and for 0 to 1"
        )
    items = list(ranked[:k])
    free = [place for place in range(len(items)) if place not in fixed]
    pool = [items[place] for place in free] + list(ranked[k:])
    if len(set(items) | set(pool)) != len(ranked):
        raise InvalidRequest("an item is ranked twice: its place would have no one probability")
    cells = len(free) * len(pool)
    at_all, place, item = _draw(seed, max(cells, 1), max(len(pool), 1))
    propensities = [1.0] * len(items)
    stays = 1.0 - rate * (len(pool) + len(free) - 2) / cells if cells else 1.0
    for index in free:
        propensities[index] = stays
    if not cells or at_all >= rate:
        return Explored(items=tuple(items), propensities=tuple(propensities), changed=False)
    here, drawn = free[place], pool[item]
    if item < len(free):  # of the list: it trades places
        there = free[item]
        items[here], items[there] = items[there], items[here]
        if here != there:
            propensities[here] = propensities[there] = 2.0 * rate / cells
    else:
        items[here] = drawn
        propensities[here] = rate / cells
    return Explored(
        items=tuple(items),
        propensities=tuple(propensities),
        changed=tuple(items) != tuple(ranked[:k]),
    )


def _draw(seed: str, cells: int, pool: int) -> tuple[float, int, int]:
    """Uniform in [0, 1), and a place and an item of the pool, evenly (to 2**-50)."""
    content = seed.encode("utf-8", "surrogatepass")
    raw = blake2b(content, digest_size=24, person=b"flyball explore").digest()
    at_all = (int.from_bytes(raw[:8], "big") >> 11) / 2.0**53
    cell = int.from_bytes(raw[8:], "big") % cells
    return at_all, *divmod(cell, pool)
