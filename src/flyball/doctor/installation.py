"""The doctor's checks of one installation: its home, stores, ports and processes."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.doctor import entrance, machine, notices, waiting
from flyball.doctor.finding import Finding, Level, fail, ok, warn
from flyball.errors import FlyballError
from flyball.loop.lock import CONTROL, holder
from flyball.serving.edge.rebinding import is_loopback

if TYPE_CHECKING:
    from flyball.wiring import Platform

LOOPBACK = "127.0.0.1"
"""Where the console listens if the API does where others reach it."""

ANSWER_S = 5.0
"""Seconds a server has to answer."""


def examine(platform: Platform) -> Iterator[Finding]:
    """All checks of one installation."""
    who = holder(platform.home)
    running = who is not None and who.role == CONTROL
    yield from machine.home(platform.home)
    stored, readable = database(platform)
    yield stored
    yield mlflow(platform)
    yield dvc_cache(platform)
    server = platform.settings.server
    own = server.host if is_loopback(server.host) else LOOPBACK
    yield machine.port("port of the API", server.host, server.port, running=running)
    yield machine.port("port of the console", own, server.console_port, running=running)
    yield from let_in(platform, stored, readable=readable)
    yield waiting.spool(platform.home / "spool", server.spool, running=running)
    yield from notices.notices(platform, readable=readable, running=running)
    yield ok("control process", str(who) if who else "not running; `flyball up` starts it")
    if readable:
        yield workers(platform, running=running)
    yield machine.clock(_last_entry(platform) if readable else None)


def database(platform: Platform) -> tuple[Finding, bool]:
    """The database, and whether its records can be read without changing its tables."""
    from flyball.storage.database import engine_on
    from flyball.storage.faults import translated
    from flyball.storage.schema import revision
    from flyball.storage.tables import REVISION

    try:
        engine = engine_on(platform.settings.database_url)
        shown = engine.url.render_as_string(hide_password=True)
        try:
            with translated(shown):
                found = revision(engine)
        finally:
            engine.dispose()
    except FlyballError as error:
        advice = "check the setting `database`, or restore a backup"
        return fail("database", str(error), advice), False
    if found is None:
        return ok("database", f"{shown} has no tables yet: the first command makes them"), False
    if found != REVISION:
        said = f"{shown} is at revision {found}, this Flyball wants {REVISION}"
        advice = "an older one is migrated by the next command; for a newer one upgrade Flyball"
        return warn("database", said, advice), False
    return ok("database", f"{shown} at revision {found}"), True


def let_in(platform: Platform, stored: Finding, *, readable: bool) -> Iterator[Finding]:
    """Who is let in, and how.

    Args:
        stored: what was found of the database.
        readable: whether its records can be read; where it is well and they cannot, there are none.
    """
    now = platform.clock.now()
    who = entrance.Known() if stored.level is Level.OK else None
    if readable:
        try:
            who = entrance.known(platform.records, now)
        except FlyballError as error:
            who = None
            yield fail("records of access", str(error), "restore the database from a backup")
    yield entrance.access(platform.settings, who)
    if who is not None:
        yield entrance.signing_key(who)
    yield entrance.limits(platform.settings)
    yield entrance.certificate(platform.settings.server, now)


def mlflow(platform: Platform) -> Finding:
    """Whether runs can be tracked: the server answers, or the file can be written."""
    uri = platform.settings.mlflow_uri
    if uri.startswith(("http://", "https://")):
        try:
            with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=ANSWER_S) as answer:  # noqa: S310 - http(s), see above
                return ok("MLflow", f"{uri} answers {answer.status}")
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            return fail("MLflow", f"{uri}: {reason}", "start it, or correct the setting `mlflow`")
    if not uri.startswith("sqlite:///"):
        return ok("MLflow", f"{uri} (not examined)")
    return _file("MLflow", Path(uri.removeprefix("sqlite:///")))


def dvc_cache(platform: Platform) -> Finding:
    """Whether the cache of the datasets can be written."""
    return _file("DVC cache", platform.home / ".dvc" / "cache")


def _file(name: str, path: Path) -> Finding:
    if not path.exists():
        return ok(name, f"{path} is not made yet: the first training or batch makes it")
    if not os.access(path, os.R_OK | os.W_OK):
        return fail(name, f"{path} cannot be read and written", "change its permissions")
    return ok(name, str(path))


def workers(platform: Platform, *, running: bool) -> Finding:
    """The serving processes that were heard of in the last seconds."""
    try:
        alive = platform.target.workers()
    except FlyballError as error:
        return fail("workers", str(error), "repair the database first")
    if alive:
        return ok("workers", f"{len(alive)} alive: {', '.join(w.worker for w in alive)}")
    if running:
        return warn("workers", "none is alive", "see the log of `flyball up` for why they end")
    return ok("workers", "none; `flyball up` starts them")


def _last_entry(platform: Platform) -> datetime | None:
    try:
        rows = platform.records.ledger(limit=1)
    except FlyballError:
        return None
    return rows[-1].entry.at if rows else None
