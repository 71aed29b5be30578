"""Where a connection is, and what all connections of a worker share."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from uvicorn.server import ServerState

from flyball.serving.edge.bounds import Bounds

if TYPE_CHECKING:
    from flyball.serving.edge.gathering import Gathering


class Phase(Enum):
    """What is awaited of the client."""

    NEW = auto()  # its first request
    HEAD = auto()
    BODY = auto()
    ASKED = auto()  # nothing: the request is here, and is being answered
    IDLE = auto()  # another request
    OVER = auto()  # that it reads the last answer; what it sends is not looked at
    CLOSED = auto()  # that it reads what is left in the buffers


class State(ServerState):
    """What all connections of a worker share.

    Attributes:
        lines: headers of every answer, as they go out; made anew each second.
        closing: no connection is kept any more.
        bounds: of every connection.
        gathering: answers requests together; None: each goes through ASGI.
        proxies: whose ``X-Forwarded-For`` is believed, as uvicorn knows them; None: nobody's.
    """

    def __init__(self, bounds: Bounds) -> None:
        super().__init__()
        self.lines = b""
        self.closing = False
        self.bounds = bounds
        self.gathering: Gathering | None = None
        self.proxies: Any = None
