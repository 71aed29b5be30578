"""The doctor: what is installed, reachable and writable, and what to do about the rest.

It only looks: nothing is made, migrated or changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flyball.doctor import machine
from flyball.doctor.finding import Finding, Level, fail, ok
from flyball.errors import FlyballError

if TYPE_CHECKING:
    from flyball.wiring import Platform

__all__ = ["Finding", "Level", "examine"]


def examine(platform: Callable[[], Platform]) -> list[Finding]:
    """All checks. Those of the installation are left out where its configuration does not load.

    Args:
        platform: opens the installation.
    """
    found = [machine.python(), *machine.packages(), machine.resources()]
    try:
        opened = platform()
    except FlyballError as error:
        advice = "correct it; what depends on it was not examined"
        return [*found, fail("configuration", str(error), advice)]
    from flyball.doctor import installation

    models = ", ".join(sorted(opened.settings.models)) or "none"
    return [*found, ok("configuration", f"models: {models}"), *installation.examine(opened)]
