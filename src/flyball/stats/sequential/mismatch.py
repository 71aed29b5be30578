"""Whether units are split as they were drawn (sample-ratio mismatch).

If they are not, then answers are lost, counted twice or sent past the draw, and no comparison of
the versions can be trusted. Each step is tested by Lindon and Malek's beta mixture ("Anytime-valid
inference for multinomial count data", NeurIPS 2022); steps are averaged with fixed weights, which
keeps the average of the whole at 1 or less, and lets a step that goes wrong late be found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from flyball.domain.judging import Split
from flyball.errors import InvalidRequest

CERTAIN = 0.0005
"""The share of rollouts with a proper split that are ever called improper."""

_PRIOR = 200.0
"""How many units the beta prior around the share is worth: it is sharpest for shares that are off
by some tenths of themselves."""


def log_evidence(splits: Sequence[Split]) -> float:
    """Log e-value against "each unit is the challenger's with probability ``share``".

    Args:
        splits: units when first seen, one for each step, the earliest first.

    Returns:
        0 for nothing seen; ln(1 / alpha) or more in at most a share alpha of proper rollouts.

    Raises:
        InvalidRequest: a share is not in (0, 1) or a count is negative.
    """
    weights = [1.0 / (step * (step + 1)) for step in range(1, len(splits) + 1)]
    terms = [math.log(weight) + _step(each) for weight, each in zip(weights, splits, strict=True)]
    terms.append(math.log(1.0 / (len(splits) + 1)))  # the weight of steps that are still to come
    top = max(terms)
    return top + math.log(sum(math.exp(term - top) for term in terms))


def _step(split: Split) -> float:
    share, own, other = split.share, split.challenger, split.champion
    if not 0.0 < share < 1.0 or own < 0 or other < 0:
        raise InvalidRequest(
            f"{split} is no split: its share lies in (0, 1), its counts are at least 0"
        )
    a, b = _PRIOR * share, _PRIOR * (1.0 - share)
    mixture = _log_beta(a + own, b + other) - _log_beta(a, b)
    return mixture - own * math.log(share) - other * math.log1p(-share)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
