"""The doctor's check of who is told of rollbacks: whether they can be reached, and what waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flyball.doctor.finding import Finding, fail, ok, warn
from flyball.domain.text import many
from flyball.errors import FlyballError

if TYPE_CHECKING:
    from flyball.wiring import Platform

NAME = "notices"


def notices(platform: Platform, *, readable: bool, running: bool) -> Iterator[Finding]:
    """One finding a notifier. Connects to each; nobody is told anything.

    Args:
        readable: whether the records can be read.
        running: whether somebody is there to tell.
    """
    try:
        notifiers = platform.notifiers
    except FlyballError as error:
        yield fail(NAME, str(error), "correct the section [notify]; nobody is told of rollbacks")
        return
    if not notifiers:
        yield ok(NAME, "nobody is told of rollbacks and waiting rollouts (section [notify])")
    for notifier in notifiers:
        name = f"{NAME} by {notifier.name}"
        try:
            notifier.reach()
            behind = _behind(platform, notifier.name) if readable else 0
        except FlyballError as error:
            yield fail(name, str(error), "`flyball drill notify` tests it; what waits is kept")
            continue
        waiting = f"{many(behind, 'row')} of the ledger to be told"
        if behind and not running:
            yield warn(name, f"{notifier.whom} can be reached; {waiting}", "`flyball up` tells it")
        else:
            yield ok(name, f"{notifier.whom} can be reached")


def _behind(platform: Platform, notifier: str) -> int:
    """How many rows of the ledger nobody was told of yet; 0 where nobody was ever told anything."""
    from flyball.loop.notices import newest

    told = platform.notice_marks.told(notifier)
    return 0 if told is None else max(0, newest(platform.records) - told)
