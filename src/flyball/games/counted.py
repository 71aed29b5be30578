"""Every answer is counted for the version that gave it, errors included."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
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

    def by(self, user: str) -> Choice:
        """The version that answers."""
        self._choice = self._host.choose(user)
        return self._choice

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
        seconds = time.perf_counter() - self._start
        self._host.served(choice, self._endpoint, seconds, _status(error))


def _status(error: Exception | None) -> int:
    """The HTTP status that an answer will have."""
    match error:
        case None:
            return 200
        case FlyballError():
            return error.status
        case HTTPException():  # of the server around us: a body that is too large
            return error.status_code
        case _:
            return 500
