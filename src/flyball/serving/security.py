"""What the OpenAPI document says beside the routes' own words: who may do what, and what fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from flyball.domain.access import Scope
from flyball.exchange import endpoint_of
from flyball.serving import problem_docs

_MEANING = {
    Scope.READ: "Ask for answers, health and metrics.",
    Scope.EVENTS: "Send what users did.",
    Scope.ADMIN: "Everything.",
}
_SCOPES = {scope.value: meaning for scope, meaning in _MEANING.items()}

SCHEMES: dict[str, Any] = {
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key that `flyball access key create` made: `fb_...`.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of `/auth/token`, or an API key.",
    },
    "oauth2": {
        "type": "oauth2",
        "description": "Signs in at `/auth/token`.",
        "flows": {
            "password": {
                "tokenUrl": "/auth/token",
                "refreshUrl": "/auth/refresh",
                "scopes": _SCOPES,
            },
            "clientCredentials": {"tokenUrl": "/auth/token", "scopes": _SCOPES},
        },
    },
}

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def document(app: FastAPI, needed: Callable[[str, str], Scope | None]) -> None:
    """Have an application's OpenAPI document say what each operation needs, and how it may fail.

    Args:
        needed: (method, path) -> the scope of an operation that is no plain endpoint; None where
            anybody may.
    """
    described = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = described()
            schema.setdefault("components", {})["securitySchemes"] = SCHEMES
            problem_docs.describe(schema)
            for path, method, operation in _operations(schema):
                plain_scope = own.get((method, path))
                scope = plain_scope or needed(method, path)
                if scope is not None:
                    operation["security"] = [{name: [scope.value]} for name in SCHEMES]
                problem_docs.may_fail(
                    operation, method, plain=plain_scope is not None, secured=scope is not None
                )
        return app.openapi_schema or {}

    own = {}
    for route in iter_route_contexts(app.routes):
        if (endpoint := endpoint_of(route)) is not None:
            own[endpoint.method, getattr(route, "path_format", "")] = endpoint.scope
    app.openapi = whole  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method.upper(), operation)
        for path, item in schema.get("paths", {}).items()
        for method, operation in item.items()
        if method in _METHODS
    ]
