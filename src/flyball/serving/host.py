"""What a worker gives the routes of one model: port ``Host``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from flyball.domain.privacy import Pseudonyms
from flyball.domain.traffic import Event, answered_by
from flyball.errors import EnvironmentFailed, FlyballError, NotFound
from flyball.ports import Choice
from flyball.serving.journal import Journal
from flyball.serving.overlay import NOTHING, Overlay
from flyball.serving.slots import Slots
from flyball.telemetry.metrics import Metrics
from flyball.telemetry.windows import WindowRecorder


class NotServing(NotFound):
    """No version of the model is loaded yet."""

    status: ClassVar[int] = 503
    title: ClassVar[str] = "No version is loaded yet"


class ModelHost:
    """One model in a worker that follows the routes.

    Args:
        slots: the model's versions.
        metrics: of this process.
        pseudonyms: as the model's data was stored with; None where it knows users by their ids.
        windows, journal, overlay: shared by all models of the worker; None in a candidate.
        rules: gives the business rules in force.
    """

    def __init__(
        self,
        slots: Slots,
        metrics: Metrics,
        *,
        pseudonyms: Pseudonyms | None = None,
        windows: WindowRecorder | None = None,
        journal: Journal | None = None,
        overlay: Overlay | None = None,
        rules: Callable[[], Any] = lambda: None,
    ) -> None:
        self.model = slots.model
        self.slots = slots
        self._metrics, self._pseudonyms = metrics, pseudonyms
        self._windows, self._journal, self._overlay = windows, journal, overlay
        self._rules = rules

    def pseudonym(self, user: str) -> str:
        """The name under which the data knows a user. All below take a user by it."""
        return user if self._pseudonyms is None else self._pseudonyms.of(user)

    def choose(self, user: str) -> Choice:
        """The version that answers this user now.

        Raises:
            NotServing: no version of the model is loaded yet.
        """
        snapshot = self.slots.snapshot
        if snapshot is None:
            raise NotServing(
                f"no version of {self.model} is loaded yet; try again in a second "
                f"(if none was deployed: flyball run {self.model} SOURCE)"
            )
        return snapshot.choose(user)

    def served(self, choice: Choice, endpoint: str, seconds: float, status: int) -> None:
        """Count one answer in metrics and windows."""
        self._metrics.served(self.model, choice.version, endpoint, seconds, status)
        if self._windows is not None:
            self._windows.count(self.model, choice.version, seconds, status)

    async def accept(self, events: Sequence[Event]) -> list[bool]:
        """Store events; returns when they are on disk. True: new, False: a duplicate.

        Raises:
            StorageUnavailable: none was stored.
            EnvironmentFailed: this server is a candidate under test.
        """
        if self._journal is None:
            raise EnvironmentFailed("a candidate under test accepts no events")
        try:
            new = await self._journal.append(events)
        except FlyballError:
            self._count(events, "refused")
            raise
        fresh = [event for event, is_new in zip(events, new, strict=True) if is_new]
        self._count(fresh, "new")
        self._count([e for e, is_new in zip(events, new, strict=True) if not is_new], "duplicate")
        if self._overlay is not None:
            self._overlay.apply(fresh)
        self._join(fresh)
        return new

    def overlay(self, user: str) -> Mapping[str, frozenset[str]]:
        """Item ids by event type (purchase, play, dislike) from events since the snapshots."""
        return NOTHING if self._overlay is None else self._overlay.of(self.model, user)

    def rules(self) -> Any:
        """The business rules in force, as the application read them."""
        return self._rules()

    def _count(self, events: Sequence[Event], result: str) -> None:
        for event in events:
            self._metrics.events.labels(event.model, str(event.type), result).inc()

    def _join(self, events: Sequence[Event]) -> None:
        if self._windows is None:
            return
        for event in events:
            if (version := answered_by(event.recommendation_id)) is not None:
                self._windows.feedback(event.model, version, str(event.type))
