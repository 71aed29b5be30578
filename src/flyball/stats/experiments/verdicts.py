"""What an A/B test says: one of four answers, with the numbers that it rests on.

Each look has a repeated confidence interval (Jennison and Turnbull, "Interim analyses: the repeated
confidence interval approach", JRSS B 51, 1989): the intervals of all looks hold the truth together
with probability ``1 - alpha``. So every answer read off them, "better" as well as "no difference
larger than X", keeps that promise whenever it is given.

Several versions are compared with one control by Holm's method ("A simple sequentially rejective
multiple test procedure", Scand. J. Statist. 6, 1979), at each look as Maurer and Bretz do
("Multiple testing in group sequential trials using graphical approaches", Stat. Biopharm. Res. 5,
2013); with a single look by Dunnett's, which is sharper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from flyball.domain.ab_test import Spending
from flyball.errors import InvalidRequest
from flyball.stats.experiments.dunnett import level_of_each
from flyball.stats.experiments.group_sequential import (
    Estimate,
    at_stopping,
    critical_values,
)

LEAST_GAIN = 0.01
"""A look that adds less information than this part of what there was is no look."""


class Answer(StrEnum):
    """What is known of two versions. "Better" is a larger mean of the metric."""

    A_BETTER = "A is better"
    B_BETTER = "B is better"
    SAME = "no difference larger than the minimal effect"
    CANNOT_TELL = "cannot tell"  # the horizon is over
    NOT_YET = "not yet"  # looks are to come


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is fixed before a test begins.

    Attributes:
        looks: fractions of the horizon after which it is judged, rising to 1.
        minimal_effect: a difference of less than this is none, in the unit of the metric; above 0.
        alpha: two-sided error of the whole test.
        spending: how it is divided over the looks.

    Raises:
        InvalidRequest: one of them is out of range; says which.
    """

    looks: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    minimal_effect: float
    alpha: float = 0.05
    spending: Spending = Spending.OBRIEN_FLEMING

    def __post_init__(self) -> None:
        before = (0.0, *self.looks[:-1])
        rises = all(a < b for a, b in zip(before, self.looks, strict=False))
        if not rises or self.looks[-1:] != (1.0,):
            raise InvalidRequest(
                f"looks {self.looks} must rise from above 0 to exactly 1, e.g. (0.5, 1.0)"
            )
        if not 0.0 < self.minimal_effect < math.inf:
            raise InvalidRequest(
                f"a minimal effect of {self.minimal_effect} must be above 0: what is too small to "
                "matter?"
            )
        if not 0.0 < self.alpha < 0.5:
            raise InvalidRequest(f"an error of {self.alpha} must lie in (0, 0.5), e.g. 0.05")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A difference B - A as it was seen at one look.

    Attributes:
        fraction: of the horizon that was over, in (0, 1].
        difference: the estimate.
        error: its standard error, above 0.
    """

    fraction: float
    difference: float
    error: float

    @property
    def information(self) -> float:
        """One over the variance."""
        return self.error**-2

    @property
    def z(self) -> float:
        """The difference in standard errors."""
        return self.difference / self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the looks so far say of B against A.

    Attributes:
        answer: one of five.
        look: at which it was reached, from 1, of those that added information; else the last.
        fraction: of the horizon that was over then.
        estimate: of the difference B - A: after a boundary was crossed, or at the horizon,
            median-unbiased; before, and where "no difference" was shown, as seen, with the
            repeated confidence interval.
        bounds: of |z| at each look up to this one.
        smaller: the difference is shown to be smaller than the minimal effect (also a better
            version may be better by little).
        by_holm: better than the control only because others were too: the interval, which is made
            for all comparisons alike, need not leave 0 out.
    """

    answer: Answer
    look: int
    fraction: float
    estimate: Estimate
    bounds: tuple[float, ...]
    smaller: bool
    by_holm: bool = False

    @property
    def final(self) -> bool:
        """Whether the test is over."""
        return self.answer is not Answer.NOT_YET


def decide(looks: Sequence[Look], design: Design, *, alpha: float | None = None) -> Finding:
    """The first answer that the looks allow; later ones do not change it.

    Looks that add less than ``LEAST_GAIN`` of information are passed over: what they might have
    spent is spent by the next. If the one at the horizon does, the answer is that of the look
    before it, or that nothing can be told.

    Args:
        looks: in order, at least one.
        alpha: instead of the design's, where several are compared.

    Raises:
        InvalidRequest: no looks, an error that is not above 0, or fractions that do not rise.
    """
    usable = _informative(looks)
    error = design.alpha if alpha is None else alpha
    bounds = _bounds(usable, design, error)
    for count, (look, bound) in enumerate(zip(usable, bounds, strict=True), start=1):
        answer, smaller = _read(look, bound, design)
        if answer is not Answer.NOT_YET or count == len(usable):
            break
    if answer is Answer.NOT_YET and looks[-1].fraction >= 1.0:
        answer = Answer.CANNOT_TELL
    return Finding(
        answer=answer,
        look=count,
        fraction=look.fraction,
        estimate=_estimate(answer, usable[:count], bounds[:count], error),
        bounds=bounds[:count],
        smaller=smaller,
    )


def decide_all(arms: Mapping[str, Sequence[Look]], design: Design) -> dict[str, Finding]:
    """Each version against one control (A), together in error with at most ``alpha``.

    That is: of versions equal to the control any is called different, or of those that differ by
    the minimal effect any is called the same; each of the two at most so often.

    Args:
        arms: looks by version; with one look each they were taken by as many users.

    Raises:
        InvalidRequest: as ``decide``.
    """
    count = len(arms)
    single = all(len(looks) == 1 for looks in arms.values()) and design.looks == (1.0,)
    each = level_of_each(count, design.alpha) if single else design.alpha / max(count, 1)
    found = {name: decide(looks, design, alpha=each) for name, looks in arms.items()}
    for name, look in _rejected(arms, design, single=single).items():
        if found[name].answer not in (Answer.A_BETTER, Answer.B_BETTER):
            better = Answer.B_BETTER if look.z > 0 else Answer.A_BETTER
            found[name] = replace(found[name], answer=better, by_holm=True)
    return found


def _informative(looks: Sequence[Look]) -> list[Look]:
    usable: list[Look] = []
    for look in looks:
        if not 0.0 < look.error < math.inf or not math.isfinite(look.difference):
            raise InvalidRequest(
                f"a difference of {look.difference} with a standard error of {look.error} cannot "
                "be judged; wait until both versions have users of different worth"
            )
        if not usable or look.information > usable[-1].information * (1.0 + LEAST_GAIN):
            usable.append(look)
    if not usable:
        raise InvalidRequest("there is no look to judge; wait for the first")
    return usable


def _bounds(looks: Sequence[Look], design: Design, alpha: float) -> tuple[float, ...]:
    return critical_values(
        [look.information for look in looks],
        [look.fraction for look in looks],
        alpha=alpha,
        spending=design.spending,
    )


def _read(look: Look, bound: float, design: Design) -> tuple[Answer, bool]:
    """What one look says, and whether it shows the difference to be smaller than minimal."""
    low, high = look.difference - bound * look.error, look.difference + bound * look.error
    smaller = -design.minimal_effect < low and high < design.minimal_effect
    if abs(look.z) >= bound:
        return (Answer.B_BETTER if look.z > 0 else Answer.A_BETTER), smaller
    if smaller:
        return Answer.SAME, smaller
    return (Answer.CANNOT_TELL if look.fraction >= 1.0 else Answer.NOT_YET), smaller


def _estimate(
    answer: Answer, looks: Sequence[Look], bounds: Sequence[float], alpha: float
) -> Estimate:
    last, reach = looks[-1], bounds[-1] * looks[-1].error
    information = [look.information for look in looks]
    found = at_stopping(information, bounds, last.z, alpha=alpha)
    crossed = abs(last.z) >= bounds[-1]
    if crossed or (last.fraction >= 1.0 and answer is not Answer.SAME):
        return found
    return Estimate(  # no boundary was crossed: as it was seen
        value=last.difference,
        low=last.difference - reach,
        high=last.difference + reach,
        p_value=found.p_value,
    )


def _rejected(
    arms: Mapping[str, Sequence[Look]], design: Design, *, single: bool
) -> dict[str, Look]:
    """Versions shown to differ from the control by Holm's method, and the looks that showed it."""
    usable = {name: _informative(looks) for name, looks in arms.items()}
    left = list(arms)
    out: dict[str, Look] = {}
    fractions = sorted({look.fraction for looks in usable.values() for look in looks})
    for fraction in fractions:
        while left:
            count = len(left)
            alpha = level_of_each(count, design.alpha) if single else design.alpha / count
            crossed = {
                name: look
                for name in left
                if (look := _crossing(usable[name], fraction, design, alpha))
            }
            if not crossed:
                break
            out |= crossed
            left = [name for name in left if name not in crossed]
    return out


def _crossing(looks: Sequence[Look], fraction: float, design: Design, alpha: float) -> Look | None:
    """The look taken after this part of the horizon, if it crosses its boundary."""
    until = [look for look in looks if look.fraction <= fraction]
    if not until or until[-1].fraction != fraction:
        return None
    return until[-1] if abs(until[-1].z) >= _bounds(until, design, alpha)[-1] else None
