"""The client of the inference API: ``Client`` blocks, ``AsyncClient`` awaits; both do the same.

::

    from flyball.client import Client, Event

    with Client("http://127.0.0.1:8000", api_key="fb_...") as client:
        answer = client.recommend("player-17", k=5)
        shown = answer.items[0].game_id
        client.send([Event("click", "player-17", shown, answer.recommendation_id)])

It needs no server: it imports neither models nor databases. Names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyball.client.asynchronous import AsyncClient
    from flyball.client.blocking import Client
    from flyball.client.calls import with_ids
    from flyball.client.errors import (
        ApiError,
        ClientError,
        DeadlinePassed,
        Forbidden,
        InvalidRequest,
        NotFound,
        TooManyRequests,
        Unauthenticated,
        Unavailable,
        Unreachable,
        UnreadableAnswer,
    )
    from flyball.client.types import Event, Filters, Problem, TensorIn, TensorOut

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "ClientError",
    "DeadlinePassed",
    "Event",
    "Filters",
    "Forbidden",
    "InvalidRequest",
    "NotFound",
    "Problem",
    "TensorIn",
    "TensorOut",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "UnreadableAnswer",
    "with_ids",
]

_ELSEWHERE = {"AsyncClient": "asynchronous", "Client": "blocking", "with_ids": "calls"}
_TYPES = frozenset({"Event", "Filters", "Problem", "TensorIn", "TensorOut"})


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'flyball.client' has no attribute {name!r}")
    module = _ELSEWHERE.get(name) or ("types" if name in _TYPES else "errors")
    return getattr(import_module(f"flyball.client.{module}"), name)
