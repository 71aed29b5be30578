"""Many acts in a row, of which none keeps the others from being done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias

from flyball.errors import FlyballError, StaleWrite

log = logging.getLogger("flyball.controller")

Troubles: TypeAlias = dict[str, Exception]
"""What went wrong, by the act that it went wrong in."""


def attempted(acts: Mapping[str, Callable[[], object]]) -> Troubles:
    """Carry out each act, whatever becomes of the others.

    A record that somebody else moved meanwhile is no trouble: the next look finds it moved.
    """
    troubles: Troubles = {}
    for name, act in acts.items():
        try:
            act()
        except StaleWrite:
            log.info("%s: moved by somebody else; looking again at the next tick", name)
        except Exception as error:  # noqa: BLE001 - reported; one model must not stop the others
            troubles[name] = error
    return troubles


def report(troubles: Troubles, before: Troubles) -> None:
    """Log each trouble once, not at every tick while it lasts."""
    said = {str(error) for error in before.values()}
    for name, error in troubles.items():
        if str(error) not in said:
            unforeseen = None if isinstance(error, FlyballError) else error
            log.warning("%s: %s; trying again", name, error, exc_info=unforeseen)
            said.add(str(error))
