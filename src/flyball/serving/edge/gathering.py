"""Requests that are answered together: those which arrive in one turn of the event loop.

A busy server has several requests at hand at any moment. Answered one after the other, each reads
all code and all tables on its way anew into the caches of the processor; answered step by step
together, they do so once. A request that is alone is answered at once, as it always was.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flyball.domain.access import Scope
from flyball.exchange import Call, Endpoint, Reply
from flyball.serving import problems
from flyball.serving.edge.edge import Edge
from flyball.serving.edge.packing import packed

AT_ONCE = 32
"""Requests of one pass: more save nothing, and keep others waiting."""

Send: TypeAlias = Callable[[int, Sequence[tuple[bytes, bytes]], bytes], None]
"""Sends status, headers and body."""


@dataclass(slots=True)
class Whole:
    """A request that is here to its last byte.

    Attributes:
        endpoint: that is asked.
        headers: by lower-case name.
        body: of it.
        address: where it comes from.
        arrived: when it began, on ``time.monotonic``.
        send: answers it.
        gone: whether its caller went away: then nothing is done for it.
    """

    endpoint: Endpoint
    headers: Mapping[bytes, bytes]
    body: bytes
    address: str
    arrived: float
    send: Send
    gone: Callable[[], bool]


class Gathering:
    """Collects requests and answers them a moment later. For one thread: the event loop's.

    Args:
        edge: admits requests and knows the endpoints.
    """

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._endpoints = {
            (endpoint.method.encode(), endpoint.path.encode()): endpoint
            for endpoint in edge.endpoints
            # what an administrator does is noted, and what is in a path is read, on the way of ASGI
            if endpoint.together is not None
            and endpoint.scope is not Scope.ADMIN
            and "{" not in endpoint.path
        }
        self._waiting: list[Whole] = []
        edge.admission.gathered = self._waiting

    def endpoint(self, method: bytes, target: bytes) -> Endpoint | None:
        """The endpoint of a request that can be gathered, by its target as it was sent."""
        return self._endpoints.get((method, target))

    def put(self, request: Whole) -> None:
        """Take a request; it is answered as soon as all that came with it are read."""
        self._waiting.append(request)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._answer)

    def _answer(self) -> None:
        requests = self._waiting[:AT_ONCE]
        del self._waiting[:AT_ONCE]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        admitted: dict[int, list[tuple[Whole, Call]]] = defaultdict(list)
        for request in requests:
            if request.gone():
                continue
            try:
                self._edge.admission.check()
                call = self._edge.call(
                    request.endpoint, request.headers, request.address, request.arrived
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
                self._send(request, error)
            else:
                call.body = request.body
                admitted[id(request.endpoint)].append((request, call))
        for group in admitted.values():
            replies = _together(group[0][0].endpoint, [call for _, call in group])
            for (request, _), reply in zip(group, replies, strict=True):
                self._send(request, reply)

    def _send(self, request: Whole, reply: Reply | Exception) -> None:
        endpoint = request.endpoint
        try:
            if isinstance(reply, Exception):
                reply = self._edge.refusal(reply, endpoint.method, endpoint.path, request.address)
            request.send(*packed(reply, request.headers))
        except Exception as error:  # noqa: BLE001 - those behind this one wait for their answers
            unforeseen = problems.reply_to_unexpected(error, endpoint.path)
            request.send(*packed(unforeseen, request.headers))


def _together(endpoint: Endpoint, calls: Sequence[Call]) -> Sequence[Reply | Exception]:
    assert endpoint.together is not None
    try:
        replies = endpoint.together(calls)
        if len(replies) != len(calls):
            raise RuntimeError(f"{len(calls)} requests got {len(replies)} answers")
    except Exception as error:  # noqa: BLE001 - as above
        return [error] * len(calls)
    return replies
