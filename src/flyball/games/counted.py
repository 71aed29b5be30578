"""Every answer is counted for the version that gave it, errors included."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from flyball.errors import FlyballError, NotFound

if TYPE_CHECKING:
    from flyball.ports import Choice, Host

EVERYBODY = ""
"""The key for choosing a version where no player asks."""


class Answering:
    """Times one answer and counts it for the version that gave it, whatever came of it.

    It begins when it is made, and ends with ``end`` or a ``with`` block. A request that failed
    before a version was chosen counts for the one that answers everybody;
    where none is loaded there is none to count it for.
    """

    def __init__(self, host: Host, endpoint: str) -> None:
        self._host = host
        self.endpoint = endpoint
        self._choice: Choice | None = None
        self._failed = False
        self.start = time.perf_counter()

    def by(self, user: str) -> Choice:
        """The version that answers."""
        self._choice = self._host.choose(user)
        return self._choice

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
        if isinstance(error, ClientDisconnect) or not isinstance(error, Exception | None):
            return  # the caller went away: there is no answer to count
        if (found := self.outcome(error)) is not None:
            self._count(*found)

    def __enter__(self) -> Answering:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.end(error)

    def outcome(self, error: Exception | None) -> tuple[Choice, int] | None:
        """The version that an answer, or this error in its place, counts for, and its status."""
        try:
            choice = self._choice or self._host.choose(EVERYBODY)
        except NotFound:
            return None
        return choice, 500 if self._failed else _status(error)

    def _count(self, choice: Choice, status: int) -> None:
        seconds = time.perf_counter() - self.start
        self._host.served(choice, self.endpoint, seconds, status)


def end_together(host: Host, answerings: Sequence[Answering], replies: Sequence[Any]) -> None:
    """``Answering.end`` of several that began and end together; each reply may be an error."""
    outcomes: Counter[tuple[str, int]] = Counter()
    choices: dict[str, Choice] = {}
    for answering, made in zip(answerings, replies, strict=True):
        found = answering.outcome(made if isinstance(made, Exception) else None)
        if found is not None:
            choice, status = found
            choices[choice.version] = choice
            outcomes[choice.version, status] += 1
    for (version, status), answers in outcomes.items():
        first = answerings[0]
        seconds = time.perf_counter() - first.start
        host.served(choices[version], first.endpoint, seconds, status, answers=answers)


def _status(error: Exception | None) -> int:
    """The HTTP status that an answer will have."""
    match error:
        case None:
            return 200
        case FlyballError():
            return error.status
        case _:
            return 500
