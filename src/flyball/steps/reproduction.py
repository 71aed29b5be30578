"""What a training that was done again came to, beside the first: judged without effects.

Two results are compared by their bytes, and where these differ by their metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from flyball.domain.text import many
from flyball.steps.causes import Cause

SHARE = 0.25
"""Of a metric's standard error: an error of a quarter of it, on top, widens an interval by 3%
(sqrt(1 + 1/16)), so that no decision that rests on the metric would be another."""

WITHOUT_ERROR = 1e-3
"""Of the metric itself, where it is no mean over users or rows and so has no standard error."""


class Outcome(StrEnum):
    """How alike the two are."""

    BITWISE = "bitwise equal"
    METRICS = "equal in metrics"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPair:
    """One metric, as recorded and as measured again.

    Attributes:
        again: None where it was not measured.
        tolerance: how far apart the two may be.
        basis: what that was made from, in words.
        equal: whether they are no further apart.
    """

    name: str
    recorded: float
    again: float | None
    tolerance: float
    basis: str
    equal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayPair:
    """One array of a file that differs.

    Attributes:
        name: in a file of several; empty in a file that is one array.
        values: how many values it has.
        differing: how many of them differ.
        largest: the largest difference; None for texts.
        detail: what differs instead, where the shapes or types do.
    """

    name: str = ""
    values: int = 0
    differing: int = 0
    largest: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePair:
    """One file that is not the same in both.

    Attributes:
        path: in the artifact.
        recorded, again: sizes in bytes; None where there is no such file.
        differing: how many bytes differ, those that only one of them has included.
        arrays: its arrays that differ, where it holds arrays.
    """

    path: str
    recorded: int | None
    again: int | None
    differing: int
    arrays: tuple[ArrayPair, ...] = ()

    def told(self) -> str:
        """In words: how many bytes or values, and how far apart."""
        if self.recorded is None:
            return f"{self.path} was not there"
        if self.again is None:
            return f"{self.path} was not made again"
        if not self.arrays:
            return f"{self.path}: {many(self.differing, 'byte')} of {self.recorded:,} differ"
        first = self.arrays[0]
        name = f"{self.path}[{first.name}]" if first.name else self.path
        if first.detail:
            return f"{name}: {first.detail}"
        far = "" if first.largest is None else f", by at most {first.largest:.3g}"
        return f"{name}: {first.differing:,} of {many(first.values, 'value')} differ{far}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """A version, trained again.

    Attributes:
        model, version: which.
        outcome: how alike the two are.
        why: in one sentence.
        cause: the first thing that was not the same the second time; None where nothing was.
        causes: all of them, in the order of ``Aspect``.
        artifact, again: digests of the recorded artifact and of the new one.
        files: how many the recorded artifact has.
        searched: whether the search was done again, too.
        threads: BLAS threads of the new fit.
        metrics: by name; empty where the bytes are equal.
        differences: files that differ, the manifest last.
        platform_known: whether it was recorded what the version was trained on.
        seconds: what it took.
    """

    model: str
    version: str
    outcome: Outcome
    why: str
    cause: Cause | None
    causes: tuple[Cause, ...]
    artifact: str
    again: str
    files: int
    searched: bool
    threads: int
    metrics: tuple[MetricPair, ...] = ()
    differences: tuple[FilePair, ...] = ()
    platform_known: bool = True
    seconds: float = 0.0


def compared(
    recorded: Mapping[str, float], again: Mapping[str, float], errors: Mapping[str, float]
) -> tuple[MetricPair, ...]:
    """Each recorded metric beside the new one.

    Args:
        errors: standard errors, of metrics that are means over users or rows.
    """
    return tuple(
        _metric(name, value, again.get(name), errors.get(name)) for name, value in recorded.items()
    )


def judged(
    *,
    differences: Sequence[FilePair],
    metrics: Sequence[MetricPair],
    found: Sequence[Cause],
    files: int,
    manifest: str,
) -> tuple[Outcome, str]:
    """The outcome, and why in one sentence.

    Args:
        files: how many the recorded artifact has.
        manifest: the name of the file that says what the others were made from.
    """
    if not differences:
        return Outcome.BITWISE, f"all {many(files, 'file')} are the same, byte for byte"
    cause = f"; {found[0].aspect}: {found[0].detail}" if found else ""
    if [one.path for one in differences] == [manifest] and all(one.equal for one in metrics):
        rest = f"only {manifest} differs, which says what they were made from"
        return Outcome.METRICS, f"the model's files are the same, byte for byte; {rest}{cause}"
    first = differences[0].told()
    unexplained = cause or "; nothing that was recorded differs, so the fit does not repeat itself"
    apart = [one for one in metrics if not one.equal]
    if apart:
        return Outcome.DIFFERENT, f"{_apart(apart[0])}; {first}{unexplained}"
    return Outcome.METRICS, f"every metric is within its tolerance; {first}{unexplained}"


def _metric(name: str, before: float, now: float | None, error: float | None) -> MetricPair:
    tolerance = WITHOUT_ERROR * abs(before) if error is None else SHARE * error
    return MetricPair(
        name=name,
        recorded=before,
        again=now,
        tolerance=tolerance,
        basis="0.1% of it" if error is None else "a quarter of its standard error",
        equal=now is not None and abs(now - before) <= tolerance,
    )


def _apart(one: MetricPair) -> str:
    if one.again is None:
        return f"{one.name} was not measured again"
    return (
        f"{one.name} is {one.again:.6g} instead of {one.recorded:.6g}, further apart than "
        f"{one.tolerance:.2g} ({one.basis})"
    )
