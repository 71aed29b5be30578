"""Which kinds of model the data give a reason to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from flyball.recommend.interactions import Interactions
from flyball.recommend.order import order_test

SEQUENTIAL = ("markov", "sasrec")
"""Families that learn from the order in which players came to their games."""

DATED = ("trending",)
"""Families that learn what is in fashion when."""

CONTENT = ("content", "feature_ease")
"""Families that learn from what is known of the games."""

LEVEL = 0.01
"""Chance of trying sequence models where order says nothing."""

LEAST_GAIN = 0.05
"""Bits that the order must tell of each next game. With many rows less than that is certain, and
worth no sequence model: fashion alone tells as much, and popularity with a half-life knows it."""


@dataclass(frozen=True, slots=True)
class WorthTrying:
    """What was found.

    Attributes:
        skipped: families that the data give no reason to try, and why.
        order: the test of order, JSON types; None where it could not be made.
    """

    skipped: Mapping[str, str]
    order: Mapping[str, Any] | None


def reasons_not_to_try(data: Interactions, *, seed: int) -> WorthTrying:
    """Ask first whether the order of events says anything, and whether games are described."""
    found = order_test(data, seed=seed)
    skipped: dict[str, str] = {}
    if data.days is None:
        why = "the rows are not dated: there is no order to learn"
        skipped |= dict.fromkeys((*SEQUENTIAL, *DATED), why)
    elif found is None:
        why = "hardly any player has two games: there is no order to learn"
        skipped |= dict.fromkeys(SEQUENTIAL, why)
    elif found.p_value > LEVEL or found.gain < LEAST_GAIN:
        why = (
            f"the order of a player's games says little of the next: {max(0.0, found.gain):.3f} "
            f"bits (shuffle test: p = {found.p_value:.3f} on {found.steps:,} steps)"
        )
        skipped |= dict.fromkeys(SEQUENTIAL, why)
    if data.features is None:
        why = "no catalogue says what the games are: ingest one to try it"
        skipped |= dict.fromkeys(CONTENT, why)
    if "sasrec" not in skipped and find_spec("torch") is None:
        skipped["sasrec"] = "PyTorch is not installed: pip install 'flyball[torch]'"
    return WorthTrying(skipped, None if found is None else {**asdict(found), "gain": found.gain})
