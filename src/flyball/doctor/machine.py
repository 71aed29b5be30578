"""The doctor's checks of the surroundings: interpreter, packages, machine, disk, ports, clock."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from flyball.doctor.finding import Finding, fail, ok, warn

GIB = 1024**3
LOW_DISK, NO_DISK = 5 * GIB, GIB // 2
LOW_MEMORY = 2 * GIB
SKEW_S = 60.0
LEAST_PYTHON = (3, 11)


def python() -> Finding:
    """The interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < LEAST_PYTHON:
        return fail("python", version, "install Python 3.11 or newer")
    return ok("python", f"{version} ({sys.implementation.name})")


def packages(distribution: str = "flyball") -> Iterator[Finding]:
    """Required packages with their versions, then each optional extra."""
    try:
        needed = _requirements(distribution)
    except metadata.PackageNotFoundError:
        yield fail("packages", f"{distribution} is not installed", "run `pip install .`")
        return
    wrong = [problem for problem in map(_problem, needed.pop("")) if problem]
    yield (
        fail("packages", "; ".join(wrong), "run `pip install --upgrade flyball`")
        if wrong
        else ok("packages", f"{distribution} {metadata.version(distribution)}, all it needs")
    )
    for extra, names in sorted(needed.items()):
        missing = [name for name in names if _problem(name)]
        said = f"not installed (needs {', '.join(map(_bare, missing))})" if missing else "installed"
        yield ok(f"extra {extra}", said)


def _requirements(distribution: str) -> dict[str, list[str]]:
    """Requirements by extra; those of none under ``""``. The developers' own are left out."""
    from packaging.requirements import Requirement

    found: dict[str, list[str]] = {"": []}
    extras = metadata.metadata(distribution).get_all("Provides-Extra") or []
    for text in metadata.requires(distribution) or []:
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            found[""].append(text)
            continue
        for extra in extras:
            if extra != "dev" and one.marker.evaluate({"extra": extra}):
                found.setdefault(extra, []).append(text)
    return found


def _problem(text: str) -> str:
    """What is wrong with a required package; empty where nothing is."""
    from packaging.requirements import Requirement

    wanted = Requirement(text)
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is missing"
    if not wanted.specifier.contains(version, prereleases=True):
        return f"{wanted.name} is {version}, not {wanted.specifier}"
    return ""


def _bare(text: str) -> str:
    from packaging.requirements import Requirement

    return Requirement(text).name


def resources() -> Finding:
    """Cores and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    said = f"{cores} {'core' if cores == 1 else 'cores'}, {memory / GIB:.1f} GiB of memory"
    if memory < LOW_MEMORY:
        return warn("machine", said, "training may need more; 2 GiB is enough for the sample")
    return ok("machine", said)


def home(directory: Path) -> Iterator[Finding]:
    """Whether the home can be written, and the free space on its disk."""
    there = next(p for p in (directory, *directory.parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "is not a directory" if not there.is_dir() else "cannot be written"
        yield fail("home", f"{there} {what}", "change that, or choose another --home")
        return
    made = "" if there == directory else " (not made yet: the first command makes it)"
    yield ok("home", f"{directory}{made}")
    free = shutil.disk_usage(there).free
    said = f"{free / GIB:.1f} GiB free"
    if free < NO_DISK:
        yield fail("disk", said, "free some space: nothing can be stored soon")
    elif free < LOW_DISK:
        yield warn("disk", said, "free some space before the next training")
    else:
        yield ok("disk", said)


def port(name: str, host: str, number: int, *, running: bool) -> Finding:
    """Whether a port is free, or held by this installation's own servers."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, number), family=family):
            pass
    except OSError as error:
        if running:
            return ok(name, f"{host}:{number} is in use; `flyball up` runs on this home")
        reason = os.strerror(error.errno or 0)
        return warn(
            name, f"{host}:{number}: {reason}", "choose another port, or end what holds this one"
        )
    return ok(name, f"{host}:{number} is free")


def clock(last_entry: datetime | None, now: datetime | None = None) -> Finding:
    """Whether the clock agrees with what was written before."""
    now = now or datetime.now(UTC)
    if last_entry is not None and (last_entry - now).total_seconds() > SKEW_S:
        return fail(
            "clock",
            f"it is {now:%Y-%m-%d %H:%M} UTC here, but the ledger's last row is of "
            f"{last_entry:%Y-%m-%d %H:%M} UTC",
            "set the clock (NTP): times in the ledger would run backwards",
        )
    return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")
