"""A search that was done again, trial by trial beside the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from flyball.domain.training import Trial
from flyball.steps.causes import Aspect, Cause


def search_cause(
    recorded: Sequence[Trial], again: Sequence[Mapping[str, Any]], *, clocked: bool
) -> Cause | None:
    """The first trial that is not the same; None where all are.

    Args:
        again: JSON, as the child answers.
        clocked: whether the clock may have decided what was tried in the first place.
    """
    for number, (old, new) in enumerate(zip_longest(recorded, again)):
        said = _unlike(number, old, new)
        if said:
            because = "; the first search was cut by its time limit" if clocked else ""
            return Cause(aspect=Aspect.SEARCH, detail=f"{said}{because}")
    return None


def _unlike(number: int, old: Trial | None, new: Mapping[str, Any] | None) -> str:
    if old is None:
        return f"trial {number} was not in the first search"
    if new is None:
        return f"trial {number} ({old.family}) was not tried again"
    if (old.family, dict(old.hyperparameters)) != (new["family"], dict(new["hyperparameters"])):
        if old.family == new["family"]:
            return f"trial {number} ({old.family}) had other hyperparameters"
        return f"trial {number} was {new['family']} instead of {old.family}"
    if old.value != new["value"]:
        return f"trial {number} ({old.family}) came to {new['value']} instead of {old.value}"
    return ""
