"""An ASGI application written by hand around the floor's function: under uvicorn or granian."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.serving.floor import answered
from benchmarks.serving.scoring import Best
from benchmarks.serving.worker import DATA, arguments, under_uvicorn

App = Callable[[Any, Any, Any], Awaitable[None]]


def made(data: Path) -> App:
    """The application."""
    best = Best(data)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        answer = answered(best, body)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(answer)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


def factory() -> App:
    """The same, for servers that import it by name."""
    return made(Path(os.environ[DATA]))


if __name__ == "__main__":
    _sock, _data = arguments()
    under_uvicorn(made(_data), _sock)
