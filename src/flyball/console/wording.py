"""How values read on the page: times, sizes, numbers and version names, as short text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_VERSION = re.compile(r"\b(\d+\.\d+\.\d+)-[0-9a-f]{8}-[0-9a-f]{8}\b")
_HASH = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,56}\b")
_STEPS = ((86400.0, "day", "days"), (3600.0, "h", "h"), (60.0, "min", "min"))


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A moment: how long ago, and exactly."""

    ago: str
    exact: str
    iso: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A version's name in two parts: the number is read, the hashes are looked up."""

    number: str
    hashes: str
    name: str


def label(name: str) -> Label:
    """``1.2.0-0123abcd-89ef4567`` as ``1.2.0`` and ``0123abcd-89ef4567``."""
    number, _, hashes = name.partition("-")
    return Label(number=number, hashes=hashes, name=name)


def shortened(text: str) -> str:
    """``text`` with version names cut to their numbers (unique within a model), hashes to 8."""
    return _HASH.sub(r"\1", _VERSION.sub(r"\1", text))


def when(at: datetime, now: datetime) -> When:
    """A moment in the past, as seen now."""
    return When(ago=ago(now - at), exact=at.strftime("%Y-%m-%d %H:%M:%S UTC"), iso=at.isoformat())


def ago(passed: timedelta) -> str:
    """``just now``, ``5 min ago``, ``3 h ago``, ``2 days ago``; changes at most once a minute."""
    text = lasting(passed)
    return f"{text} ago" if text else "just now"


def lasting(passed: timedelta) -> str:
    """``5 min``, ``3 h``, ``2 days``; empty under a minute."""
    seconds = passed.total_seconds()
    for size, one, many in _STEPS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {one if count == 1 else many}"
    return ""


def size(count: int) -> str:
    """Bytes as MiB, or GiB from 1024 MiB on."""
    mib = count / 2**20
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"


def milliseconds(value: float | None) -> str:
    """Two digits that matter: ``0.84``, ``8.4``, ``84``; a dash for None."""
    if value is None:
        return "–"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def percent(part: int, whole: int) -> str:
    """``0%``, ``0.02%``, ``3.1%``: a share that is not zero never reads as zero."""
    if not part or not whole:
        return "0%" if whole else "–"
    share = 100.0 * part / whole
    return f"{share:.0f}%" if share >= 10 else f"{share:.1f}%" if share >= 0.1 else f"{share:.2g}%"


def rate(value: float) -> str:
    """Requests a second: ``0``, ``0.4``, ``12``."""
    return (
        f"{value:.0f}" if value >= 10 or value == 0 else f"{value:.1f}" if value >= 0.1 else "<0.1"
    )


def metric(value: float) -> str:
    """A metric to three decimals, or in full where it is large."""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
