"""Every answer is counted for the version that gave it, errors included."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from flyball.errors import FlyballError, NotFound

if TYPE_CHECKING:
    from flyball.ports import Choice, Host

EVERYBODY = ""
"""The key for choosing a version where no player asks."""


class Answering:
    """Times one answer and counts it for the version that gave it, whatever came of it.

    A request that failed before a version was chosen counts for the one that answers everybody;
    where none is loaded there is none to count it for.
    """

    def __init__(self, host: Host, endpoint: str) -> None:
        self._host = host
        self._endpoint = endpoint
        self._choice: Choice | None = None
        self._failed = False

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

    def __enter__(self) -> Answering:
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, ClientDisconnect) or not isinstance(error, Exception | None):
            return  # the caller went away: there is no answer to count
        try:
            choice = self._choice or self._host.choose(EVERYBODY)
        except NotFound:
            return
        self._count(choice, 500 if self._failed else _status(error))

    def _count(self, choice: Choice, status: int) -> None:
        seconds = time.perf_counter() - self._start
        self._host.served(choice, self._endpoint, seconds, status)


def _status(error: Exception | None) -> int:
    """The HTTP status that an answer will have."""
    match error:
        case None:
            return 200
        case FlyballError():
            return error.status
        case _:
            return 500
