"""Several versions against one control, judged once.

Source: Dunnett, "A multiple comparison procedure for comparing several treatments with a control",
JASA 50, 1955; "New tables for multiple comparisons with a control", Biometrics 20, 1964.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from flyball.errors import InvalidRequest

_POINTS = 96
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(_POINTS)


def critical_value(arms: int, alpha: float, *, control_share: float = 0.5) -> float:
    """The bound that the largest |z| of all comparisons passes with probability ``alpha``.

    Given the control's mean the comparisons are independent; so the probability is an integral over
    that one variable.

    Args:
        arms: versions beside the control, all of one size, at least 1.
        alpha: two-sided, in (0, 1).
        control_share: the control's part of the users of a comparison: the correlation of two
            comparisons is one less that (0.5 for equal sizes).

    Raises:
        InvalidRequest: something is out of range.
    """
    if arms < 1 or not 0.0 < alpha < 1.0 or not 0.0 < control_share < 1.0:
        raise InvalidRequest(
            f"{arms} versions, an error of {alpha} and a control's share of {control_share} make "
            "no comparison; give at least 1, and two shares between 0 and 1"
        )
    correlation = 1.0 - control_share
    shift, spread = math.sqrt(correlation) * _NODES, math.sqrt(1.0 - correlation)
    weights = _WEIGHTS / math.sqrt(2.0 * math.pi)

    def excess(bound: float) -> float:
        inside = ndtr((bound + shift) / spread) - ndtr((shift - bound) / spread)
        return 1.0 - float(weights @ inside**arms) - alpha

    least, most = -float(ndtri(alpha / 2.0)), -float(ndtri(alpha / (2.0 * arms)))
    return least if arms == 1 else float(brentq(excess, least - 1e-6, most + 1e-6, xtol=1e-10))


def level_of_each(arms: int, alpha: float) -> float:
    """The two-sided error of each comparison, so that all together err with ``alpha``."""
    return 2.0 * float(ndtr(-critical_value(max(arms, 1), alpha)))
