"""Which version answers whom: slots, routes and the sticky choice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from flyball.errors import DeploymentError


class Slot(StrEnum):
    """A place in the server for one version."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Slot:
        """The slot beside this one."""
        return Slot.GREEN if self is Slot.BLUE else Slot.BLUE


class Variant(StrEnum):
    """The part a version plays in an answer."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class Draw(NamedTuple):
    """What is drawn for a unit (a user, or one request of nobody in particular) in a rollout.

    Attributes:
        bucket: uniform in [0, 1): the challenger answers where it is below its share.
        tag: uniform in [0, 2**48), independent of the bucket: names the unit in windows. From it
            nobody learns who it is, and not which version answers it either.
    """

    bucket: float
    tag: int


class Watch(NamedTuple):
    """How a rollout is watched by those who answer.

    Attributes:
        salt: under which units are drawn.
        slow_above_s: an answer that takes longer is slow, seconds.
    """

    salt: str
    slow_above_s: float


TAGS = 2**48
"""Tags are below this."""


def draw(unit: str, salt: str) -> Draw:
    """The same unit and salt, the same draw, in every process."""
    content = f"{salt}\x00{unit}".encode("utf-8", "surrogatepass")
    raw = hashlib.blake2b(content, digest_size=14).digest()
    bucket = (int.from_bytes(raw[:8], "big") >> 11) / 2.0**53  # a float holds no more below 1
    return Draw(bucket, int.from_bytes(raw[8:], "big"))


def bucket(user: str, salt: str) -> float:
    """A stable number in [0, 1) for a user: the same user and salt, the same number, everywhere."""
    return draw(user, salt).bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The recorded wish of one model: what is loaded where, and who gets which.

    Attributes:
        model: the model's name; there is one route a model.
        generation: counts the changes from 1; workers report the one they applied.
        slots: the version wanted in each slot; an absent slot is empty.
        live: the champion's slot.
        challenger_share: fraction of users that the other slot answers, in [0, 1].
        salt: of the sticky choice; a deployment's id, so that each rollout draws anew.
        slow_above_s: while a rollout is watched: what counts as slow, seconds (the champion's
            95th percentile, frozen when it began). None: nothing is watched, units are not kept.
        rehearsal_ends: while a rollback is rehearsed, and the version that stands by serves for
            that only: when the other serves again at the latest, UTC. None: nothing is rehearsed.
    """

    model: str
    generation: int
    slots: Mapping[Slot, str]
    live: Slot
    challenger_share: float = 0.0
    salt: str = ""
    slow_above_s: float | None = None
    rehearsal_ends: datetime | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.challenger_share <= 1.0:
            raise DeploymentError(
                f"{self.model}: a share of {self.challenger_share} is not in [0, 1]"
            )
        if self.challenger_share > 0.0 and self.live.other not in self.slots:
            raise DeploymentError(
                f"{self.model}: the {self.live.other} slot is empty, it can't serve"
            )

    @property
    def id(self) -> str:
        """The model's name."""
        return self.model

    @property
    def champion(self) -> str | None:
        """The version in the live slot."""
        return self.slots.get(self.live)

    @property
    def standby(self) -> str | None:
        """The version in the other slot: a challenger, or the one before the champion."""
        return self.slots.get(self.live.other)

    def variant(self, user: str) -> Variant:
        """Who answers this user: sticky, and independent of the process that asks."""
        share = self.challenger_share
        if share > 0.0 and bucket(user, self.salt) < share:
            return Variant.CHALLENGER
        return Variant.CHAMPION

    def slot(self, variant: Variant) -> Slot:
        """The slot of a variant."""
        return self.live if variant is Variant.CHAMPION else self.live.other

    def loading(self, version: str, *, salt: str) -> Route:
        """The next route: ``version`` in the idle slot, no traffic for it yet."""
        slots = {**self.slots, self.live.other: version}
        return replace(
            self, generation=self.generation + 1, slots=slots, challenger_share=0.0, salt=salt
        )

    def shared(self, share: float, *, slow_above_s: float) -> Route:
        """The next route: the other slot answers ``share`` of the users, and both are watched."""
        return replace(
            self,
            generation=self.generation + 1,
            challenger_share=share,
            slow_above_s=slow_above_s,
        )

    def switched(self) -> Route:
        """The next route: the other slot is live, the old champion stays loaded beside it.

        Raises:
            DeploymentError: the other slot is empty.
        """
        if self.standby is None:
            raise DeploymentError(
                f"{self.model}: no second version is loaded to switch to; deploy one first"
            )
        return replace(
            self,
            generation=self.generation + 1,
            live=self.live.other,
            challenger_share=0.0,
            slow_above_s=None,
        )

    def rehearsing(self, until: datetime) -> Route:
        """The next route: the version that stands by is live, for a rehearsal only.

        Raises:
            DeploymentError: the other slot is empty.
        """
        return replace(self.switched(), rehearsal_ends=until)

    def restored(self) -> Route:
        """The next route, without the rehearsal; this one where nothing is rehearsed."""
        if self.rehearsal_ends is None:
            return self
        return replace(self.switched(), rehearsal_ends=None)

    def unloaded(self, restored: str = "") -> Route:
        """The next route: the idle slot holds ``restored`` again, or nothing."""
        slots = {self.live: self.champion, self.live.other: restored}
        wanted = {slot: version for slot, version in slots.items() if version}
        return replace(
            self,
            generation=self.generation + 1,
            slots=wanted,
            challenger_share=0.0,
            slow_above_s=None,
        )


def empty_route(model: str) -> Route:
    """The route of a model that nothing serves yet (generation 0, never stored)."""
    return Route(model=model, generation=0, slots={}, live=Slot.BLUE)


class SlotPhase(StrEnum):
    """How far a worker has come with a version."""

    LOADING = "loading"
    READY = "ready"  # loaded, digest verified, warmed, smoke-tested
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStatus:
    """One version in one worker.

    Attributes:
        version: its name.
        phase: how far it has come.
        detail: why it failed, or how many smoke requests it answered.
    """

    version: str
    phase: SlotPhase
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """What one serving process reported of itself.

    Attributes:
        worker: ``"<host>:<pid>"``.
        model: empty; a worker serves all models.
        url: where its server listens.
        started_at, seen_at: UTC; a worker not seen for ``LOST_AFTER_S`` seconds is gone.
        applied: the route generation in force there, by model.
        slots: what is loaded, by model and slot, for example ``"games/blue"``.
        rss_bytes: resident memory.
        own_bytes: memory that is its own alone (models are shared); 0 where that is not known.
    """

    worker: str
    url: str
    started_at: datetime
    seen_at: datetime
    applied: Mapping[str, int] = field(default_factory=dict)
    slots: Mapping[str, SlotStatus] = field(default_factory=dict)
    rss_bytes: int = 0
    own_bytes: int = 0
    model: str = ""

    @property
    def id(self) -> str:
        """The worker's name."""
        return self.worker

    def slot(self, model: str, slot: Slot) -> SlotStatus | None:
        """What this worker holds in a model's slot."""
        return self.slots.get(f"{model}/{slot}")


LOST_AFTER_S = 5.0


def alive(status: WorkerStatus, now: datetime) -> bool:
    """Whether a worker was heard of within ``LOST_AFTER_S`` seconds."""
    return (now - status.seen_at).total_seconds() <= LOST_AFTER_S
