"""What was not the same when a version was trained again, the likeliest cause first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_SHOWN = 3
"""Differences of one kind that are told; the others are counted."""


class Aspect(StrEnum):
    """What a result depends on, in the order in which a cause is looked for."""

    DATA = "data"
    CODE = "code"
    LOCK = "lock"
    SEED = "seed"
    THREADS = "threads"
    PLATFORM = "platform"
    SEARCH = "search"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Something that was not the same the second time."""

    aspect: Aspect
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a result was made from.

    Attributes:
        files: the DVC hash of each file of the data, by name.
        architecture, code, environment, seeds, threads: see ``flyball.steps.manifest.Manifest``.
        packages, platform: see ``flyball.domain.training.TrainingResult``.
    """

    files: Mapping[str, str]
    architecture: str
    code: str
    environment: str
    seeds: Mapping[str, int]
    threads: int
    packages: Sequence[str] = ()
    platform: Mapping[str, str] = field(default_factory=dict)


def causes(recorded: Made, again: Made) -> tuple[Cause, ...]:
    """What was not the same the second time, the likeliest cause first.

    What nobody recorded of the first (packages, platform) is taken to be the same.
    """
    told = {
        Aspect.DATA: _entries("the data's files", recorded.files, again.files),
        Aspect.CODE: _code(recorded, again),
        Aspect.LOCK: _lock(recorded, again),
        Aspect.SEED: _entries("the seeds", recorded.seeds, again.seeds),
        Aspect.THREADS: _entries(
            "the threads", {"BLAS": recorded.threads}, {"BLAS": again.threads}
        ),
        Aspect.PLATFORM: _entries("the platform", recorded.platform, again.platform)
        if recorded.platform
        else "",
    }
    return tuple(Cause(aspect=aspect, detail=said) for aspect, said in told.items() if said)


def _code(recorded: Made, again: Made) -> str:
    if recorded.architecture != again.architecture:
        return f"{recorded.architecture} is {again.architecture} by now"
    if recorded.code != again.code:
        return f"the fingerprint of the code is {again.code[:12]} instead of {recorded.code[:12]}"
    return ""


def _lock(recorded: Made, again: Made) -> str:
    if recorded.environment == again.environment:
        return ""
    if not recorded.packages:
        return "other packages are installed; which ones there were was not recorded"
    before, now = (dict(_split(one) for one in made.packages) for made in (recorded, again))
    return _entries("the packages", before, now) or "the digest of the packages differs"


def _split(package: str) -> tuple[str, str]:
    name, _, version = package.partition("==")
    return name, version


def _entries(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two mappings, in words; empty where nothing does."""
    told = list(_changes(before, now))
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return f"{what} differ: {', '.join(told[:_SHOWN])}{more}" if told else ""


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if name not in now:
            yield f"{name} {before[name]} is gone"
        elif name not in before:
            yield f"{name} {now[name]} is new"
        elif before[name] != now[name]:
            yield f"{name} {before[name]} is {now[name]} now"
