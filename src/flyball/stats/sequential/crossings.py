"""Where the values that a test does not refute end."""

from __future__ import annotations

from collections.abc import Callable

WITHIN = 1e-3
"""How exactly an end is found: as an absolute error, and relative to it."""


def crossing(
    refuted: Callable[[float], bool], inside: float, end: float, *, within: float = WITHIN
) -> float:
    """The value between ``inside`` and ``end`` from which on all are refuted.

    Args:
        refuted: false at ``inside``, and once true towards ``end``, then true for good.
        inside, end: finite; either may be the larger.
        within: see ``WITHIN``.

    Returns:
        A value just outside, so that an interval is never too short; ``end`` if that stands, too.
    """
    if inside == end or not refuted(end):
        return end
    near, far = inside, end
    while abs(far - near) > within * (1.0 + abs(near)):
        middle = (near + far) / 2
        near, far = (near, middle) if refuted(middle) else (middle, far)
    return far
