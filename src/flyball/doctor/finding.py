"""What one check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check: its name, how it ended, what was found, and what to do about it."""

    name: str
    level: Level
    detail: str
    advice: str = ""


def ok(name: str, detail: str) -> Finding:
    """The check is well."""
    return Finding(name=name, level=Level.OK, detail=detail)


def warn(name: str, detail: str, advice: str) -> Finding:
    """Works, but will not for long or not for all."""
    return Finding(name=name, level=Level.WARN, detail=detail, advice=advice)


def fail(name: str, detail: str, advice: str) -> Finding:
    """Does not work."""
    return Finding(name=name, level=Level.FAIL, detail=detail, advice=advice)
