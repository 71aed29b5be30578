"""The answer to a request that was gathered with others: it goes out without ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from flyball.serving.edge.answer import head
from flyball.serving.edge.phase import State


class _Deaf:
    """An event that nobody waits for."""

    def set(self) -> None:
        """Nothing."""


class Direct:
    """Such an answer on its way; to its connection it is like an ``Answer``.

    Attributes:
        keep_alive: whether the connection goes on after it.
        disconnected: whether the caller went away.
        response_started, response_complete: whether it was sent.

    Args:
        transport: of the connection.
        state: of the worker.
        on_response: called once it was sent.
    """

    __slots__ = (
        "_on_response",
        "_state",
        "_transport",
        "disconnected",
        "keep_alive",
        "response_complete",
        "response_started",
    )

    message_event = _Deaf()

    def __init__(
        self,
        transport: asyncio.Transport,
        state: State,
        keep_alive: bool,
        on_response: Callable[[], None],
    ) -> None:
        self._transport, self._state, self._on_response = transport, state, on_response
        self.keep_alive = keep_alive
        self.disconnected = self.response_started = self.response_complete = False

    def gone(self) -> bool:
        """Whether there is nobody to answer."""
        return self.disconnected or self._transport.is_closing()

    def send(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """Send all of it; the caller must still be there."""
        before = head(status, headers, self._state.lines, keep_alive=self.keep_alive)
        self._transport.write(before + body)
        self.response_started = self.response_complete = True
        if not self.keep_alive:
            self._transport.close()
        self._on_response()
