"""What a worker gives the routes of one model: port ``Host``."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from flyball.domain.access import Caller
from flyball.domain.privacy import Pseudonyms
from flyball.domain.traffic import Answers, Event, Join, Shown
from flyball.errors import EnvironmentFailed, FlyballError, NotFound
from flyball.ports import Choice
from flyball.serving.journal import Journal
from flyball.serving.overlay import NOTHING, Overlay
from flyball.serving.slots import Slots
from flyball.telemetry.metrics import Metrics
from flyball.telemetry.served import ServedRecorder
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
        answers: gives ids to answers and reads those of events; default with a key of its own.
        lists: where shown lists are noted; None in a candidate.
        limit_user: (caller, user) -> counts a request; None: there is no limit.
        exploration: see ``ports.Host``.
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
        answers: Answers | None = None,
        lists: ServedRecorder | None = None,
        limit_user: Callable[[Caller, str], None] | None = None,
        exploration: float = 0.0,
    ) -> None:
        self.model, self.exploration = slots.model, exploration
        self.answers = answers or Answers(secrets.token_bytes(32))
        self.slots = slots
        self._metrics, self._pseudonyms = metrics, pseudonyms
        self._windows, self._journal, self._overlay = windows, journal, overlay
        self._rules = rules
        self._limit_user = limit_user
        self._note = None if lists is None else lists.note

    def pseudonym(self, user: str) -> str:
        """The name under which the data knows a user. All below take a user by it."""
        return user if self._pseudonyms is None else self._pseudonyms.of(user)

    def limit(self, caller: Caller, user: str) -> None:
        """Count a request that names a user, by the id that the caller knows them by.

        Raises:
            TooManyRequests: there are more of them in a minute than there may be.
        """
        if self._limit_user is not None:
            self._limit_user(caller, user)

    def choose(self, user: str | None) -> Choice:
        """The version that answers this user now; None: nobody is named.

        Raises:
            NotServing: no version of the model is loaded yet.
        """
        snapshot = self.slots.snapshot
        if snapshot is None:
            raise self._nothing()
        return snapshot.choose(user)

    def champion(self) -> Choice:
        """The version that serves, drawn for nobody.

        Raises:
            NotServing: no version of the model is loaded yet.
        """
        snapshot = self.slots.snapshot
        if snapshot is None:
            raise self._nothing()
        return snapshot.champion

    def _nothing(self) -> NotServing:
        return NotServing(
            f"no version of {self.model} is loaded yet; try again in a second "
            f"(if none was deployed: flyball run {self.model} SOURCE)"
        )

    def working(self, choice: Choice | None) -> None:
        """This process works on answers of this choice from here on; see ``ports.Host``."""
        if self._windows is not None:
            self._windows.working(self.model, choice)

    def beside(self, choice: Choice) -> Choice | None:
        """The other version that is loaded, if any: it may answer where this one failed."""
        snapshot = self.slots.snapshot
        return None if snapshot is None else snapshot.beside(choice)

    def fell_back(self, choice: Choice, to: str) -> None:
        """Count an answer that this version failed to give; see ``ports.Host``."""
        self._metrics.fallbacks.labels(self.model, choice.version, to).inc()

    def served(
        self, choice: Choice, endpoint: str, seconds: float, status: int, *, answers: int = 1
    ) -> None:
        """Count an answer in metrics and windows, or several that took the same time together."""
        self._metrics.served(self.model, choice.version, endpoint, seconds, status, answers=answers)
        if self._windows is not None:
            self._windows.count(
                self.model,
                choice.version,
                seconds,
                status,
                answers=answers,
                watch=choice.watch,
                units=choice.units,
            )

    def shown(
        self,
        choice: Choice,
        recommendation_id: str,
        at_ms: int,
        user: str | None,
        items: Sequence[str],
        *,
        k: int,
        propensities: Sequence[float] | None = None,
        filtered: bool = False,
        fallback: str = "",
        trace: str = "",
    ) -> None:
        """Note a list that is being answered. See ``ports.Host``."""
        if self._note is None:
            return
        self._note(
            Shown(
                recommendation_id,
                at_ms,
                self.model,
                choice.version,
                choice.variant.value,
                choice.share,
                user or "",
                k,
                items,
                propensities or (1.0,) * len(items),  # 1: it always gives this list
                fallback,
                filtered,
                trace,
            )
        )

    async def accept(self, events: Sequence[Event]) -> list[bool]:
        """Store events; returns when they are on disk. True: new, False: a duplicate.

        Raises:
            StorageUnavailable: none was stored.
            EnvironmentFailed: this server is a candidate under test.
        """
        if self._journal is None:
            raise EnvironmentFailed("a candidate under test accepts no events")
        try:
            kept = await self._journal.append(events)
        except FlyballError:
            self._count(events, ("refused",) * len(events))
            raise
        if self._overlay is not None:
            self._overlay.apply(e for e, new in zip(events, kept.new, strict=True) if new)
        if kept.waits:
            self._count(events, ("spooled",) * len(events))
        else:
            self.stored(events, kept.new)
        return kept.new

    def stored(self, events: Sequence[Event], new: Sequence[bool]) -> None:
        """Count events of this model that are in the database since a moment ago."""
        self._count(events, ["new" if is_new else "duplicate" for is_new in new])
        self._join([event for event, is_new in zip(events, new, strict=True) if is_new])

    def overlay(self, user: str) -> Mapping[str, frozenset[str]]:
        """Item ids by event type (purchase, play, dislike) from events since the snapshots."""
        return NOTHING if self._overlay is None else self._overlay.of(self.model, user)

    def rules(self) -> Any:
        """The business rules in force, as the application read them."""
        return self._rules()

    def _count(self, events: Sequence[Event], results: Sequence[str]) -> None:
        counts = Counter(zip((event.type.value for event in events), results, strict=True))
        for (kind, result), count in counts.items():
            self._metrics.events.labels(self.model, kind, result).inc(count)

    def _join(self, events: Sequence[Event]) -> None:
        """Count each event for the answer that led to it, where it is one of ours."""
        counts: Counter[tuple[str, Join, str]] = Counter()
        known: dict[str, tuple[Join, str]] = {}  # a list's events mostly come together
        for event in events:
            answer = event.recommendation_id
            found = known.get(answer)
            if found is None:
                found = known[answer] = self.answers.join(answer, event.received_at)
            counts[(event.type.value, *found)] += 1
        for (kind, join, version), count in counts.items():
            self._metrics.feedback.labels(self.model, kind, join.value).inc(count)
            if join is Join.JOINED and self._windows is not None:
                self._windows.feedback(self.model, version, kind, count)
