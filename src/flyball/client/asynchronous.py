"""The client that awaits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self, TypeVar, assert_never

import httpx

from flyball.client import tls
from flyball.client.common import Common
from flyball.client.effects import Alone, Answer, Effect, Lost, Pause, Plan, Steps, Wire
from flyball.client.errors import ClientError
from flyball.client.exchange import steps_of
from flyball.client.judging import late
from flyball.client.types import Game, GamesPage

T = TypeVar("T")


class AsyncClient(Common):
    """A client of the inference API. One for a program: its calls share connections and tokens.

    Close it, or use it with ``async with``. Safe for any number of tasks of one event loop.

    Its arguments are those of ``Common``.
    """

    def _connect(self, connections: int, verify: ssl.SSLContext | None) -> None:
        self._turn = asyncio.Lock()
        self._http = httpx.AsyncClient(
            # a proxy set for the outside world must not stand before a server of one's own
            trust_env=False,
            verify=True if verify is None else verify,
            limits=httpx.Limits(max_connections=connections),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def carry_out(self, plan: Plan[T]) -> T:
        """Make a call.

        Raises:
            ClientError: it did not come to a good end.
        """
        return await self._run(steps_of(plan, self._session, self._options))

    async def iterate(self, page: Callable[..., Plan[GamesPage]]) -> AsyncIterator[Game]:
        """The games of all pages from this one on."""
        found = await self.carry_out(page())
        while True:
            for game in found.items:
                yield game
            if found.next_cursor is None:
                return
            found = await self.carry_out(page(cursor=found.next_cursor))

    async def _run(self, steps: Steps[T]) -> T:
        try:
            effect = next(steps)
            while True:
                try:
                    came = await self._do(effect)
                except ClientError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(came)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _do(self, effect: Effect) -> Any:
        match effect:
            case Wire():
                return await self._sent(effect)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case Alone(steps, seconds):
                return await self._alone(steps, seconds)
            case _:
                assert_never(effect)

    async def _sent(self, wire: Wire) -> Answer | Lost:
        try:
            async with asyncio.timeout(wire.seconds):
                answer = await self._http.request(
                    wire.method,
                    wire.url,
                    params=wire.query or None,
                    headers=wire.headers,
                    content=wire.body,
                    timeout=None,  # the whole is bounded, which no part of it can outlast
                )
        except TimeoutError:
            return Lost("the time was over", late=True)
        except (httpx.TransportError, httpx.DecodingError) as error:
            return Lost(f"{type(error).__name__} {error}".strip(), advice=tls.advice(error))
        return Answer(answer.status_code, answer.headers, answer.content)

    async def _alone(self, steps: Steps[Any], seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise late(self._session.base, 0, "another call was signing in") from None
        try:
            return await self._run(steps)
        finally:
            self._turn.release()
