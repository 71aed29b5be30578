"""Shilling: made-up users who push an item, and how far the item comes by them.

Sources: Lam and Riedl, "Shilling recommender systems for fun and profit", WWW 2004; Mobasher,
Burke, Bhaumik and Williams, "Toward trustworthy recommender systems", ACM TOIT 7 (2007). Their
attacks choose ratings; here users have items or not, and what is left of each attack is its choice
of items:

- *average*: the fake has what an average user has: items drawn by how many users have them.
- *bandwagon*: the fake has the few most popular items, and others drawn blindly.

Either has the target too. The attacker needs to know which items are popular, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from flyball.errors import InvalidRequest
from flyball.recommend.interactions import Interactions

if TYPE_CHECKING:
    from flyball.recommend.histories import Histories
    from flyball.recommend.protocols import Scorer

Kind = Literal["average", "bandwagon"]

BAND = 5
"""Most popular items in each bandwagon profile."""

RECENT_DAYS = 7
"""How long a burst lasts."""

FIRST_FAKE = "\U0010ffff"
"""Ids of fakes sort after all others."""

CHUNK_CELLS = 2**22


@dataclass(frozen=True, slots=True)
class Attack:
    """Fake users for one target.

    Attributes:
        kind: how they choose their other items.
        share: how many there are, as a share of the genuine users; at least one is made.
        target: the item, an index.
        burst: they all act within the last ``RECENT_DAYS``; else when genuine users do. A model
            that forgets the past counts them for more than they are.
    """

    kind: Kind
    share: float
    target: int
    burst: bool = False


@dataclass(frozen=True, slots=True)
class Lift:
    """How far an attack came with genuine users who do not have the target.

    Attributes:
        attack: which.
        asked: how many users.
        shown_before, shown_after: the share of them with the target among their first places.
        rank_before, rank_after: the median place of the target in their lists.
    """

    attack: Attack
    asked: int
    shown_before: float
    shown_after: float
    rank_before: float
    rank_after: float


def unpopular(counts: NDArray[np.int64], n: int, *, seed: int) -> list[int]:
    """``n`` items drawn from the less popular half of those that somebody has, as indices.

    Such items are what an attacker wants pushed, and are the easiest to push (Lam and Riedl).

    Args:
        counts: shape (n_items,), users of each item.
        n: fewer come back where there are fewer.
    """
    known = np.flatnonzero(counts > 0)
    half = known[np.argsort(counts[known], kind="stable")][: max(n, (len(known) + 1) // 2)]
    drawn = np.random.default_rng(seed).permutation(half)[:n]
    return [int(item) for item in drawn]


def attacked(data: Interactions, attacks: Sequence[Attack], *, seed: int) -> Interactions:
    """The data with the fake users of all attacks; each has users of its own.

    A fake has as many items as users of two or more have on average, the target among them. Its
    hours are the median, its day is that of a genuine interaction or, in a burst, one of the last.

    Raises:
        InvalidRequest: a target is no item, or a share is not above 0.
    """
    n_items = len(data.items)
    for attack in attacks:
        if not 0 <= attack.target < n_items or not attack.share > 0.0:
            raise InvalidRequest(
                f"an attack of {attack.share:g} of the users on item {attack.target} of {n_items} "
                "cannot be made; name an item and a share above 0"
            )
    rng = np.random.default_rng(seed)
    size = _profile_size(data)
    fakes = [attack for attack in attacks for _ in range(n_fakes(data, attack))]
    profiles = [_profile(fake, data.counts, size, rng) for fake in fakes]
    days = None
    if data.days is not None and len(data.days):
        last = data.days.max() - rng.integers(0, RECENT_DAYS, len(fakes))
        usual = rng.choice(data.days, len(fakes))
        days = np.where([fake.burst for fake in fakes], last, usual).astype(np.float32)
    return _with(data, profiles, days)


def n_fakes(data: Interactions, attack: Attack) -> int:
    """How many users the attack makes."""
    return max(1, round(attack.share * len(data.users)))


def places(model: Scorer, histories: Histories, targets: Sequence[int]) -> NDArray[np.int64]:
    """Shape (n, len(targets)): the place of each target in each user's list, from 1.

    The list has what the user does not have, best first, equal scores by rising index. 0 where the
    user has the target.
    """
    wanted = np.asarray(targets, dtype=np.int64)
    out = np.zeros((len(histories), len(wanted)), dtype=np.int64)
    step = max(1, CHUNK_CELLS // max(1, histories.n_items))
    for start in range(0, len(histories), step):
        part = histories[slice(start, min(start + step, len(histories)))]
        scores = model.predict(part)
        rows = np.repeat(np.arange(len(part)), part.lengths)
        scores[rows, part.matrix.indices] = -np.inf
        for column, target in enumerate(wanted):
            own = scores[:, target][:, None]
            above = (scores > own).sum(axis=1) + (scores[:, :target] == own).sum(axis=1)
            out[start : start + len(part), column] = np.where(np.isneginf(own[:, 0]), 0, above + 1)
    return out


def lifts(
    attacks: Sequence[Attack],
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    *,
    k: int = 10,
) -> list[Lift]:
    """What each attack reached.

    Args:
        attacks: one for each column.
        before, after: shape (n, len(attacks)), from ``places`` without and with the fakes.
        k: first places of a list.
    """
    found = []
    for column, attack in enumerate(attacks):
        asked = before[:, column] > 0
        old, new = before[asked, column], after[asked, column]
        some = bool(asked.any())
        found.append(
            Lift(
                attack=attack,
                asked=int(asked.sum()),
                shown_before=float((old <= k).mean()) if some else 0.0,
                shown_after=float((new <= k).mean()) if some else 0.0,
                rank_before=float(np.median(old)) if some else 0.0,
                rank_after=float(np.median(new)) if some else 0.0,
            )
        )
    return found


def _profile_size(data: Interactions) -> int:
    lengths = np.diff(data.matrix.indptr)
    several = lengths[lengths >= 2]
    mean = float(several.mean()) if len(several) else 1.0
    return max(1, min(round(mean), int((data.counts > 0).sum())))


def _profile(
    attack: Attack, counts: NDArray[np.int64], size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """``size`` items, rising. Adding Gumbel noise to log-weights and taking the largest draws
    without replacement in proportion to the weights (Yellott 1977)."""
    keys = np.where(counts > 0, rng.gumbel(size=len(counts)), -np.inf)
    if attack.kind == "average":
        keys += np.log(np.maximum(counts, 1))
    else:
        keys[np.argsort(-counts, kind="stable")[: min(BAND, size - 1)]] = np.inf
    keys[attack.target] = -np.inf
    drawn = np.argsort(-keys, kind="stable")[: size - 1]
    return np.sort(np.append(drawn, attack.target))


def _with(
    data: Interactions,
    profiles: Sequence[NDArray[np.int64]],
    days_of: NDArray[np.float32] | None,
) -> Interactions:
    """The data with one more user a profile, who came to all their items on one day."""
    lengths = np.array([len(profile) for profile in profiles], dtype=np.int64)
    ids = [f"{FIRST_FAKE}{number:09d}" for number in range(len(profiles))]
    added = int(lengths.sum())
    matrix = data.matrix
    parts = (
        np.concatenate([matrix.data, np.ones(added, dtype=np.float32)]),
        np.concatenate([matrix.indices, *profiles]).astype(np.int32),
        np.concatenate([matrix.indptr, matrix.indptr[-1] + np.cumsum(lengths)]),
    )
    shape = (matrix.shape[0] + len(profiles), matrix.shape[1])
    hours = days = None
    if data.hours is not None:
        known = data.hours[~np.isnan(data.hours)]
        usual = np.float32(np.median(known)) if len(known) else np.float32(np.nan)
        hours = np.concatenate([data.hours, np.full(added, usual)])
    if data.days is not None and days_of is not None:
        days = np.concatenate([data.days, np.repeat(days_of, lengths)])
    return replace(
        data,
        users=np.concatenate([data.users, np.array(ids, dtype=np.str_)]),
        matrix=csr_matrix(parts, shape=shape),
        hours=hours,
        days=days,
    )
