"""One error shape for the whole HTTP API: RFC 9457, ``application/problem+json``."""

from __future__ import annotations

import errno
import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flyball.errors import (
    DeadlinePassed,
    FlyballError,
    Forbidden,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from flyball.exchange import Reply

MEDIA_TYPE = "application/problem+json"
MOST_SAID = 2000
"""Characters of a detail: it may quote what was sent."""

BEARER = 'Bearer realm="flyball"'
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_WORDS = re.compile(r"disk (or the quota )?is full|disk is full|no space left", re.IGNORECASE)


class FieldProblem(BaseModel):
    """One part of a request that is wrong."""

    location: str = Field(examples=["body.k"])
    detail: str = Field(examples=["Input should be greater than or equal to 1"])


class Problem(BaseModel):
    """What went wrong, as RFC 9457 says it."""

    type: str = Field(examples=["urn:flyball:problem:invalid-request"])
    title: str = Field(examples=["The request cannot be read"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["body.k: Input should be greater than or equal to 1"])
    instance: str = Field(examples=["urn:uuid:6c9e4f0a-7f55-4a93-a8a4-2d6a3a0d3c11"])
    errors: list[FieldProblem] | None = None


def _schema() -> dict[str, Any]:
    """Of a problem, whole: a reference would point out of the document that it is put into."""
    whole = Problem.model_json_schema()
    part = whole.pop("$defs")["FieldProblem"]
    whole["properties"]["errors"] = {"type": "array", "items": part}
    return whole


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong, as RFC 9457 says it.",
        "content": {MEDIA_TYPE: {"schema": _schema()}},
    }
}
"""For OpenAPI: every operation may answer so."""


def install(app: FastAPI) -> None:
    """Answer every error of this application as a problem."""
    app.add_exception_handler(FlyballError, _handled)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(Unexpected)


def problem(
    status: int,
    kind: str,
    title: str,
    detail: str,
    *,
    errors: Sequence[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
    instance: str | None = None,
) -> JSONResponse:
    """The answer to a request that failed; ``kind`` is the last part of its type."""
    body = Problem(
        type=f"urn:flyball:problem:{kind}",
        title=title,
        status=status,
        detail=detail if len(detail) <= MOST_SAID else f"{detail[:MOST_SAID]}...",
        instance=instance or new_instance(),
        errors=None if errors is None else list(errors),
    )
    return _Document(
        body.model_dump(exclude_none=True), status_code=status, headers=dict(headers or {})
    )


class _Document(JSONResponse):
    """A problem; also one whose detail quotes what is no Unicode, such as the name of a file."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")  # a lone surrogate, as JSON escapes it


def new_instance() -> str:
    """A name for one occurrence of a problem."""
    return uuid.uuid4().urn


def status_of(error: FlyballError) -> int:
    """The HTTP status; 507 where the disk is full."""
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE and _disk_is_full(error):
        return HTTPStatus.INSUFFICIENT_STORAGE
    return error.status


def _disk_is_full(error: BaseException) -> bool:
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.errno in _FULL:
            return True
        if _FULL_WORDS.search(str(at)):
            return True
        at = at.__cause__
    return False


def _kind(error: FlyballError) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()


def reply_to(error: FlyballError) -> Reply:
    """The answer to a request that failed as we foresaw."""
    return _as_reply(_ours(error))


def reply_to_unexpected(error: Exception, path: str) -> Reply:
    """The answer where nobody foresaw it: the traceback goes to the log, not out."""
    return _as_reply(_unforeseen(error, path))


def _unforeseen(error: Exception, path: str) -> JSONResponse:
    instance = new_instance()
    _log().error("an unexpected error", instance=instance, path=path, exc_info=error)
    return problem(
        500,
        "unexpected",
        "An unexpected error",
        f"the server's log tells more under {instance}",
        instance=instance,
    )


def _as_reply(response: JSONResponse) -> Reply:
    kept = (b"content-length", b"content-type")
    return Reply(
        bytes(response.body),
        response.status_code,
        tuple(header for header in response.raw_headers if header[0] not in kept),
        MEDIA_TYPE.encode(),
    )


async def _handled(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FlyballError)
    return _ours(error)


def _ours(error: FlyballError) -> JSONResponse:
    status, instance = status_of(error), new_instance()
    ours = not isinstance(error, NotFound | DeadlinePassed)  # a caller may choose how often
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and ours:
        _log().warning("a request failed", instance=instance, status=status, reason=str(error))
    return problem(
        status, _kind(error), error.title, str(error), headers=_headers(error), instance=instance
    )


def _headers(error: FlyballError) -> dict[str, str]:
    match error:
        case TooManyRequests():
            return {"retry-after": str(max(1, math.ceil(error.retry_after_s)))}
        case Unauthenticated():
            wrong = error.reason not in ("", "no_credentials")  # RFC 6750, section 3.1
            return {"www-authenticate": BEARER + (', error="invalid_token"' if wrong else "")}
        case Forbidden() if error.reason == "scope":
            return {"www-authenticate": f'{BEARER}, error="insufficient_scope"'}
        case _ if status_of(error) == HTTPStatus.SERVICE_UNAVAILABLE:
            return {"retry-after": "1"}
        case _:
            return {}


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        FieldProblem(location=".".join(map(str, e["loc"])), detail=e["msg"]) for e in error.errors()
    ]
    return problem(
        InvalidRequest.status,
        "invalid-request",
        InvalidRequest.title,
        "; ".join(f"{part.location}: {part.detail}" for part in found),
        errors=found,
    )


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    try:
        title = HTTPStatus(error.status_code).phrase
    except ValueError:
        title = "Error"
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND and detail == title:
        detail = f"there is no {request.url.path} here; /docs lists what there is"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("allow") or (error.headers or {}).get("Allow", "")
        detail = f"{request.method} is not allowed here; use {allowed or 'another method'}"
    kind = title.lower().replace(" ", "-")
    return problem(error.status_code, kind, title, detail, headers=error.headers)


class Unexpected:
    """Answers what nobody foresaw with 500 and an id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            return  # the caller went away in the middle of its request: nobody to answer
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            await _unforeseen(error, scope["path"])(scope, receive, send)


def _log() -> Any:
    return structlog.get_logger("flyball.http")
