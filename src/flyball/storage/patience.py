"""Connections to PostgreSQL that do not wait for ever for a server that hangs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, ClassVar, Self, TypeVar

import psycopg
from psycopg.errors import ConnectionTimeout

T = TypeVar("T")

SILENCE_S = 4.0
"""After so long without a byte it is asked elsewhere whether the server lives."""

ANSWER_S = 3
"""It lives if it takes another connection within this."""

_LOOK_S = 0.1
"""How often the clock is looked at while nothing comes."""

_NOTHING = 0
"""Sent to psycopg's generators where nothing came: ``psycopg.waiting.Ready.NONE``."""


class PatientConnection(psycopg.Connection[Any]):
    """A connection that waits for as long as the server lives.

    Whoever waits for an answer for ``SILENCE_S`` opens a second connection beside the first. If
    the server takes it, it is at work, and is waited for again. If that takes too long as well,
    the server (or what stands before it) hangs, and this connection ends with OperationalError.
    A server that refuses the second one, for whatever reason, is there.
    """

    asked: ClassVar[dict[str, Any]] = {}
    """How it was opened; of each connection its own."""

    @classmethod
    def opened(cls, *given: Any, **named: Any) -> Self:
        """Open one, as ``psycopg.connect`` does."""
        made = cls.connect(*given, **named)
        vars(made)["asked"] = {"given": given, "named": named | {"connect_timeout": ANSWER_S}}
        return made

    def wait(
        self, gen: Generator[Any, Any, T], interval: float = _LOOK_S, *more: Any, **named: Any
    ) -> T:
        """See ``psycopg.Connection.wait``."""
        watched = _watched(gen, self._hung, self._end)
        return super().wait(watched, min(interval, _LOOK_S), *more, **named)

    def _hung(self) -> bool:
        """Whether the server takes no other connection in time."""
        if not self.asked:
            return False
        try:
            psycopg.connect(*self.asked["given"], **self.asked["named"]).close()
        except ConnectionTimeout:
            return True
        except psycopg.Error:
            return False  # it, or the machine it is on, says no: so somebody is there
        return False

    def _end(self) -> None:
        """Close it here; the other side will not hear of it."""
        with suppress(psycopg.Error):
            self.pgconn.finish()


def _watched(
    gen: Generator[Any, Any, T], hung: Callable[[], bool], end: Callable[[], None]
) -> Generator[Any, Any, T]:
    """``gen``, ended where nothing comes and ``hung`` says so.

    Raises:
        psycopg.OperationalError: it was ended.
    """
    try:
        wanted = next(gen)
        heard = time.monotonic()
        while True:
            came = yield wanted
            if came != _NOTHING:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_S:
                if hung():
                    gen.close()
                    end()
                    raise psycopg.OperationalError(
                        f"the server did not answer for {SILENCE_S:g} s, and took no other "
                        f"connection within {ANSWER_S} s"
                    )
                heard = time.monotonic()
            wanted = gen.send(came)
    except StopIteration as done:
        result: T = done.value
        return result
