"""What one worker holds of one model: loaded versions, and which of them answers whom.

The hot path reads one reference to an immutable ``Snapshot``. Everything else happens on other
threads and ends with that reference being replaced: a request sees the old state or the new one.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace

from flyball.domain.routing import Route, SlotPhase, SlotStatus, Variant, Watch, draw
from flyball.ports import Choice, Servable

NOBODY = 8
"""Random bytes that name the unit of a request of nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A version that is verified, opened and smoke-tested.

    Attributes:
        version: its name, without the model.
        servable: what answers.
        answered: how many smoke requests it answered.
    """

    version: str
    servable: Servable
    answered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Who answers whom, at one moment.

    Attributes:
        route: the route in force.
        champion, challenger: the prepared choices; without a challenger the champion answers all.
        draws: whether it matters who asks: there is a share for the challenger, or a rollout is
            watched.
    """

    route: Route
    champion: Choice
    challenger: Choice | None
    draws: bool

    def choose(self, user: str | None) -> Choice:
        """The version that answers this user; of nobody each request is drawn by itself."""
        if not self.draws:
            return self.champion
        unit = os.urandom(NOBODY).hex() if user is None else user
        drawn, chosen = draw(unit, self.route.salt), self.champion
        if self.challenger is not None and drawn.bucket < self.route.challenger_share:
            chosen = self.challenger
        return chosen if chosen.watch is None else chosen.drawn_for((drawn.tag,))

    def beside(self, choice: Choice) -> Choice | None:
        """The other version that is loaded, if there is one: it may answer where this one fails."""
        other = self.champion if choice.version != self.champion.version else self.challenger
        return None if other is None or other.version == choice.version else other


class Slots:
    """The versions of one model in this worker. Thread-safe.

    Attributes:
        snapshot: who answers whom now; None until something is loaded.
        applied: the route generation that is fully in force here; 0 before the first.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.snapshot: Snapshot | None = None
        self.applied = 0
        self._lock = threading.Lock()
        self._route: Route | None = None
        self._loaded: dict[str, Loaded] = {}
        self._failed: dict[str, str] = {}
        self._waiting: dict[str, str] = {}

    @property
    def route(self) -> Route | None:
        """The route that is wanted; None while none is known."""
        return self._route

    @property
    def watched(self) -> bool:
        """Whether a rollout is watched, by the route that is wanted."""
        return self._route is not None and self._route.slow_above_s is not None

    def follows(self, route: Route) -> bool:
        """Whether this very route is wanted."""
        return self._route is not None and self._route.generation == route.generation

    def follow(self, route: Route) -> list[str]:
        """Want another route; returns the versions to load for it, the live one first.

        The same generation again changes nothing. A new generation gives versions that failed
        another chance.
        """
        with self._lock:
            if self.follows(route):
                return []
            self._route = route
            self._failed.clear()
            order = dict.fromkeys(v for v in (route.champion, route.standby) if v is not None)
            missing = [v for v in order if v not in self._loaded and v not in self._waiting]
            self._waiting.update(dict.fromkeys(missing, ""))
            self._settle()
            return missing

    def put(self, loaded: Loaded) -> None:
        """A version is ready."""
        with self._lock:
            self._waiting.pop(loaded.version, None)
            self._failed.pop(loaded.version, None)
            self._loaded[loaded.version] = loaded
            self._settle()

    def fail(self, version: str, reason: str) -> None:
        """A version cannot be loaded; what serves goes on."""
        with self._lock:
            self._waiting.pop(version, None)
            self._failed[version] = reason
            self._settle()

    def wait(self, version: str, reason: str) -> None:
        """A version cannot be loaded yet, because storage is away; it stays ``loading``."""
        with self._lock:
            self._waiting[version] = reason

    def wants(self, version: str) -> bool:
        """Whether the wanted route still names this version; if not, loading it is given up."""
        with self._lock:
            wanted = self._route is not None and version in self._route.slots.values()
            if not wanted:
                self._waiting.pop(version, None)
            return wanted

    def settled(self) -> bool:
        """Whether the live version of the wanted route is loaded or known to fail."""
        with self._lock:
            route = self._route
            return route is None or route.champion not in self._waiting

    def statuses(self) -> dict[str, SlotStatus]:
        """How far each wanted version has come, by ``"<model>/<slot>"``."""
        with self._lock:
            slots = {} if self._route is None else self._route.slots
            return {f"{self.model}/{slot}": self._status(v) for slot, v in slots.items()}

    def _status(self, version: str) -> SlotStatus:
        if found := self._loaded.get(version):
            detail = f"answered {found.answered} smoke requests"
            return SlotStatus(version=version, phase=SlotPhase.READY, detail=detail)
        if version in self._failed:
            reason = self._failed[version]
            return SlotStatus(version=version, phase=SlotPhase.FAILED, detail=reason)
        reason = self._waiting.get(version, "")
        return SlotStatus(version=version, phase=SlotPhase.LOADING, detail=reason)

    def _settle(self) -> None:
        """Put the wanted route in force, as soon as every version that it gives users is here."""
        route = self._route
        if route is None:
            return
        live = self._loaded.get(route.champion or "")
        other = self._loaded.get(route.standby or "")
        if live is not None and (other is not None or route.challenger_share == 0.0):
            self._apply(route, live, other)
            self.applied = route.generation
        elif route.champion is None:
            self.snapshot, self.applied = None, route.generation
        elif self.snapshot is None and (stand_in := live or self._stand_in(route, other)):
            # A fresh worker answers with what it has; it does not claim to have the route.
            # Nor does it say whom it answered: that is not how they were drawn.
            alone = replace(route, challenger_share=0.0, slow_above_s=None)
            self._apply(alone, stand_in, None)
        self._drop_unwanted(route)

    def _stand_in(self, route: Route, other: Loaded | None) -> Loaded | None:
        return other if route.champion in self._failed else None

    def _apply(self, route: Route, live: Loaded, other: Loaded | None) -> None:
        share = 0.0 if other is None else route.challenger_share
        slow = route.slow_above_s
        watch = None if slow is None else Watch(route.salt, slow)
        challenger = None
        if other is not None:
            challenger = _choice(other, Variant.CHALLENGER, share, watch)
        self.snapshot = Snapshot(
            route=route,
            champion=_choice(live, Variant.CHAMPION, 1.0 - share, watch),
            challenger=challenger,
            draws=share > 0.0 or watch is not None,
        )

    def _drop_unwanted(self, route: Route) -> None:
        """Let go of versions that nobody wants; requests in flight hold their own references."""
        keep = set(route.slots.values())
        if self.snapshot is not None:
            keep.add(self.snapshot.champion.version)
        self._loaded = {name: loaded for name, loaded in self._loaded.items() if name in keep}


def _choice(loaded: Loaded, variant: Variant, share: float, watch: Watch | None) -> Choice:
    return Choice(
        servable=loaded.servable,
        version=loaded.version,
        variant=variant,
        share=share,
        watch=watch,
    )
