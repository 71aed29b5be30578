"""What follows the records in its own time: aliases, lineage, windows that grow old.

None of it may delay a tick: a registry that is away can take minutes to say so.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Literal

from flyball.domain.deployment import FINAL, Deployment
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.errors import NotFound
from flyball.loop.parts import Parts
from flyball.loop.troubles import Troubles, attempted
from flyball.ports import Records
from flyball.steps.told import publish

_WAITING = (State.VALIDATION, State.STAGING)


def wanted(records: Records, model: str) -> tuple[str | None, str | None]:
    """The champion and the challenger of a model by its records; None where there is none.

    The champion is what the route says. The challenger is the newest version that is being
    validated or waits for its first deployment.
    """
    route = next(iter(records.find(Route, model=model)), None)
    tried = {d.version for d in records.find(Deployment, model=model) if d.phase in FINAL}
    waiting = [
        version.name
        for version in records.find(ModelVersion, model=model)
        if version.state in _WAITING and version.name not in tried
    ]
    champion = route.restored().champion if route else None  # a rehearsal is no other champion
    return champion, waiting[-1] if waiting else None


def announce(parts: Parts, model: str) -> None:
    """Tell the registry who is champion and challenger now. Harmless to repeat.

    Raises:
        EnvironmentFailed: the registry cannot be used.
    """
    champion, challenger = wanted(parts.records, model)
    if champion is not None:
        parts.tracker.alias(model, "champion", champion)
    parts.tracker.alias(model, "challenger", challenger)


class Aliases:
    """Keeps the registry's ``champion`` and ``challenger`` true.

    The record changes first (a rollback does not wait for a registry); this follows it.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._told: dict[tuple[str, str], str | None] = {}

    def follow(self) -> Troubles:
        """Tell the registry of every alias that changed since the last call.

        A registry that refuses one is asked again at each call, and the others get theirs.
        """
        models = sorted(self._parts.settings.models)
        return attempted({f"aliases of {model}": partial(self._follow, model) for model in models})

    def _follow(self, model: str) -> None:
        champion, challenger = wanted(self._parts.records, model)
        if champion is not None:
            self._tell(model, "champion", champion)
        if champion is not None or challenger is not None:  # else nothing was ever registered
            with suppress(NotFound):  # recorded, and registered in a moment
                self._tell(model, "challenger", challenger)

    def _tell(
        self, model: str, alias: Literal["champion", "challenger"], version: str | None
    ) -> None:
        key = (model, alias)
        if key not in self._told or self._told[key] != version:
            self._parts.tracker.alias(model, alias, version)
            self._told[key] = version


def tell(parts: Parts, *, within_s: float = 0.0) -> Troubles:
    """Tell whoever keeps lineage what was done since the last time; a receiver may be away.

    Args:
        within_s: how long to wait for a receiver on the network.
    """

    def publish_now() -> None:
        publish(parts.records, parts.datasets, parts.lineage, deliver_within_s=within_s)

    return attempted({"lineage": publish_now})


class Housekeeping:
    """Forgets windows of traffic that are older than is kept; events stay."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._due = parts.clock.now()

    def tidy(self) -> None:
        """Look once an hour."""
        now = self._parts.clock.now()
        if now >= self._due:
            self._parts.events.forget_windows(before=now - self._parts.settings.server.keep_windows)
            self._due = now + timedelta(hours=1)
