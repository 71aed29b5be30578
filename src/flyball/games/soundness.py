"""Whether an answer may go out, where a new version is on trial: it may give anything at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flyball.errors import DeploymentError

if TYPE_CHECKING:
    from flyball.games.servable import Answer


def check_sound(answer: Answer, k: int) -> None:
    """Whether an answer is a list of games with their scores.

    Args:
        answer: what a version gave, of any shape.
        k: how many games were asked for.

    Raises:
        DeploymentError: it is not; says why.
    """
    try:
        items, short = answer.items, answer.underfilled
        names, values = [], list[float]()
        for item in items:
            names.append(item.game_id)
            values += [item.score, item.rest]
            values += [reason.share for reason in item.reasons]
    except (AttributeError, TypeError) as error:
        raise DeploymentError(f"the answer is no list of games: {error}") from error
    count = len(names)
    if count > k or short is not (count < k):
        raise DeploymentError(f"{count} games were answered where {k} were asked for")
    if not set(map(type, names)) <= {str} or len(set(names)) < count:
        raise DeploymentError("the games of an answer are not told by distinct ids")
    # the sum is no number where one of them is none: many times as quick as to look at each
    if not set(map(type, values)) <= {float} or not math.isfinite(sum(values)):
        raise DeploymentError("the score of a game, or the share of a reason, is no number")
