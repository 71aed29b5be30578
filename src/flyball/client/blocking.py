"""The client that blocks."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar, assert_never

import httpcore
import httpx

from flyball.client import tls
from flyball.client.bounded import Transport
from flyball.client.common import Common
from flyball.client.effects import Alone, Answer, Effect, Lost, Pause, Plan, Steps, Wire
from flyball.client.errors import ClientError
from flyball.client.exchange import steps_of
from flyball.client.judging import late
from flyball.client.types import Game, GamesPage

T = TypeVar("T")


class Client(Common):
    """A client of the inference API. One for a program: its calls share connections and tokens.

    Close it, or use it with ``with``. Thread-safe.

    Its arguments are those of ``Common``.
    """

    def _connect(self, connections: int, verify: ssl.SSLContext | None) -> None:
        self._turn = threading.Lock()
        self._transport = Transport(connections=connections, verify=verify)
        self._http = httpx.Client(transport=self._transport, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def carry_out(self, plan: Plan[T]) -> T:
        """Make a call.

        Raises:
            ClientError: it did not come to a good end.
        """
        return self._run(steps_of(plan, self._session, self._options))

    def iterate(self, page: Callable[..., Plan[GamesPage]]) -> Iterator[Game]:
        """The games of all pages from this one on."""
        found = self.carry_out(page())
        while True:
            yield from found.items
            if found.next_cursor is None:
                return
            found = self.carry_out(page(cursor=found.next_cursor))

    def _run(self, steps: Steps[T]) -> T:
        try:
            effect = next(steps)
            while True:
                try:
                    came = self._do(effect)
                except ClientError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(came)
        except StopIteration as done:
            result: T = done.value
            return result

    def _do(self, effect: Effect) -> Any:
        match effect:
            case Wire():
                return self._sent(effect)
            case Pause(seconds):
                return time.sleep(seconds)
            case Alone(steps, seconds):
                return self._alone(steps, seconds)
            case _:
                assert_never(effect)

    def _sent(self, wire: Wire) -> Answer | Lost:
        try:
            with self._transport.deadline.within(wire.seconds):
                answer = self._http.request(
                    wire.method,
                    wire.url,
                    params=wire.query or None,
                    headers=wire.headers,
                    content=wire.body,
                )
        except httpcore.TimeoutException:
            return Lost("the time was over", late=True)
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            httpx.RequestError,
        ) as error:
            return Lost(f"{type(error).__name__} {error}".strip(), advice=tls.advice(error))
        return Answer(answer.status_code, answer.headers, answer.content)

    def _alone(self, steps: Steps[Any], seconds: float) -> Any:
        if not self._turn.acquire(timeout=seconds):
            raise late(self._session.base, 0, "another call was signing in")
        try:
            return self._run(steps)
        finally:
            self._turn.release()
