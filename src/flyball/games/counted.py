"""Every answer is counted for the version that gave it, errors included."""

from __future__ import annotations

import math
import time
from asyncio import CancelledError
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from flyball.errors import DeadlinePassed, FlyballError, NotFound

if TYPE_CHECKING:
    from flyball.ports import Choice, Host


class Answering:
    """Times one answer and counts it for the version that gave it, whatever came of it.

    It begins when it is made, and ends with ``end`` or a ``with`` block. A request that failed
    before a version was chosen counts for the one that serves, and for no unit; where none is
    loaded there is none to count it for.

    Args:
        host: chooses versions and counts.
        endpoint: that is asked.
        deadline: when an answer is of no use any more, on ``time.monotonic``: then it is an error.

    Attributes:
        watched: whether the host was told that a version works on it.
    """

    def __init__(self, host: Host, endpoint: str, deadline: float = math.inf) -> None:
        self._host = host
        self.endpoint = endpoint
        self._deadline = deadline
        self._choice: Choice | None = None
        self._failed = self.watched = False
        self.start = time.perf_counter()

    def by(self, user: str | None) -> Choice:
        """The version that answers this player; None: nobody is named."""
        choice = self._choice = self._host.choose(user)
        if choice.watch is not None:
            self._working(choice)
        return choice

    def _working(self, choice: Choice) -> None:
        self.watched = True
        self._host.working(choice)

    def failed(self) -> None:
        """The version failed; whatever the player is answered, this counts as an error of it."""
        self._failed = True

    def instead(self, choice: Choice) -> None:
        """Another version answers in place of the one that failed; each is counted."""
        assert self._choice is not None
        self._count(self._choice, 500)
        self._choice, self._failed = choice, False

    def end(self, error: BaseException | None = None) -> None:
        """There is an answer, or this error in its place."""
        if self.watched:
            self._host.working(None)
        if isinstance(error, CancelledError | None) and self.late():
            error = too_late()
        if isinstance(error, ClientDisconnect) or not isinstance(error, Exception | None):
            return  # the caller went away: there is no answer to count
        if (found := self.outcome(error)) is not None:
            self._count(*found)

    def __enter__(self) -> Answering:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        late = too_late() if error is None and self.late() else None
        self.end(late or error)
        if late is not None:
            raise late

    def outcome(self, error: Exception | None) -> tuple[Choice, int] | None:
        """The version that an answer, or this error in its place, counts for, and its status."""
        try:
            choice = self._choice or self._host.champion()
        except NotFound:
            return None
        return choice, 500 if self._failed else _status(error)

    def late(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self._deadline != math.inf and time.monotonic() >= self._deadline

    def _count(self, choice: Choice, status: int) -> None:
        seconds = time.perf_counter() - self.start
        self._host.served(choice, self.endpoint, seconds, status)


def end_together(host: Host, answerings: Sequence[Answering], replies: Sequence[Any]) -> None:
    """``Answering.end`` of several that began and end together; each reply may be an error."""
    outcomes: Counter[tuple[str, int]] = Counter()
    choices: dict[str, Choice] = {}
    units: dict[tuple[str, int], tuple[int, ...]] = {}
    watched = False
    for answering, made in zip(answerings, replies, strict=True):
        found = answering.outcome(made if isinstance(made, Exception) else None)
        if found is not None:
            choice, status = found
            choices[choice.version] = choice
            outcomes[choice.version, status] += 1
            if answering.watched:
                watched, key = True, (choice.version, status)
                units[key] = units.get(key, ()) + choice.units
    if watched:
        host.working(None)
    for (version, status), answers in outcomes.items():
        first, choice = answerings[0], choices[version]
        if watched:
            choice = choice.drawn_for(units.get((version, status), ()))
        seconds = time.perf_counter() - first.start
        host.served(choice, first.endpoint, seconds, status, answers=answers)


def too_late() -> DeadlinePassed:
    """For an answer that was there when nobody waited for it any more."""
    return DeadlinePassed(
        "the answer was not there when the X-Request-Timeout was over; allow more time"
    )


def _status(error: Exception | None) -> int:
    """The HTTP status that an answer will have."""
    match error:
        case None:
            return 200
        case FlyballError():
            return error.status
        case _:
            return 500
