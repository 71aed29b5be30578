"""A Starlette application with one route, msgspec in and out."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.serving.floor import answered
from benchmarks.serving.scoring import Best
from benchmarks.serving.worker import arguments, under_uvicorn


def made(data: Path) -> Starlette:
    """The application."""
    best = Best(data)

    async def recommend(request: Request) -> Response:
        answer = answered(best, await request.body())
        return Response(answer, media_type="application/json")

    return Starlette(routes=[Route("/v1/recommendations", recommend, methods=["POST"])])


if __name__ == "__main__":
    _sock, _data = arguments()
    under_uvicorn(made(_data), _sock)
