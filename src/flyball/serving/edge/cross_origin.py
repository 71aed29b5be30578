"""Pages of other origins: allowed by list, and never with what a browser keeps for the user."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from flyball.serving import problems

_SENT = ("authorization", "content-type", "x-api-key", "x-request-timeout", "traceparent")
_READ = ("etag", "retry-after", "x-flyball-version")


class _Pages(CORSMiddleware):
    """Starlette's, whose refusals are problems as all others are."""

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code < HTTPStatus.BAD_REQUEST:
            return answer
        kept = ("content-length", "content-type")
        return problems.problem(
            answer.status_code,
            "cross-origin",
            "Not for pages of this origin",
            f"{bytes(answer.body).decode()}; server.cors_origins lists who may ask",
            headers={name: value for name, value in answer.headers.items() if name not in kept},
        )


def allowing(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The application, for pages of these origins too; itself where there are none.

    Args:
        origins: such as ``"https://shop.example"``; ``"*"`` for all.
    """
    if not origins:
        return app
    return _Pages(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST", "PUT", "DELETE"),
        allow_headers=_SENT,
        expose_headers=_READ,
        allow_credentials=False,  # keys go in a header that the page itself must know
        max_age=600,
    )
