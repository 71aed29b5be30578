"""The methods of both clients, each described once in ``calls``."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from flyball.client import calls

if TYPE_CHECKING:
    from flyball.client.asynchronous import AsyncClient
    from flyball.client.blocking import Client
    from flyball.client.effects import Plan
    from flyball.client.types import Game

P = ParamSpec("P")
T = TypeVar("T")


class Method(Generic[P, T]):
    """A method that carries a plan out: on a ``Client`` it gives the result, on an ``AsyncClient``
    it is awaited."""

    def __init__(self, plan: Callable[P, Plan[T]]) -> None:
        self._plan = plan
        self.__doc__ = plan.__doc__

    @overload
    def __get__(self, client: Client, owner: Any = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: Any = None) -> Callable[P, Awaitable[T]]: ...
    @overload
    def __get__(self, client: None, owner: Any = None) -> Method[P, T]: ...
    def __get__(self, client: Any, owner: Any = None) -> Any:
        """The method of one client; of the class, this."""
        if client is None:
            return self

        @functools.wraps(self._plan)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.carry_out(self._plan(*args, **kwargs))

        return method


class Pages(Generic[P]):
    """A method that iterates over the games of all pages, each asked for when it is needed."""

    def __init__(self, page: Callable[P, Any]) -> None:
        self._page = page
        self.__doc__ = "The games of the catalogue, by rising id; the next page when it is needed."

    @overload
    def __get__(self, client: Client, owner: Any = None) -> Callable[P, Iterator[Game]]: ...
    @overload
    def __get__(
        self, client: AsyncClient, owner: Any = None
    ) -> Callable[P, AsyncIterator[Game]]: ...
    @overload
    def __get__(self, client: None, owner: Any = None) -> Pages[P]: ...
    def __get__(self, client: Any, owner: Any = None) -> Any:
        """The method of one client; of the class, this."""
        if client is None:
            return self

        @functools.wraps(self._page)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.iterate(functools.partial(self._page, *args, **kwargs))

        return method


class Methods:
    """What a client can ask."""

    recommend = Method(calls.recommend)
    recommend_many = Method(calls.recommend_many)
    similar = Method(calls.similar)
    search = Method(calls.search)
    games = Pages(calls.games_page)
    games_page = Method(calls.games_page)
    game = Method(calls.game)
    why_not = Method(calls.why_not)
    send = Method(calls.send)
    health = Method(calls.health)
    ready = Method(calls.ready)
    infer = Method(calls.infer)
