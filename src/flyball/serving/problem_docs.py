"""What the OpenAPI document says of failures: every status that an operation may answer with.

What the edge and the protocol refuse is the same for all operations, so it is said once, among the
components, and each operation refers to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flyball.serving import problems

_RETRY = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}
_EVERYWHERE = {
    400: "This is no HTTP/1.1, or may be read in two ways.",
    408: "The request did not arrive in time.",
    413: "The request is too large.",
    414: "The address is too long.",
    421: "A server that listens on this machine only is not called so.",
    422: "The request cannot be read.",
    429: "Too many requests: of this client, for this user, or of all together.",
    431: "The headers are too many or too large.",
    500: "Nobody foresaw this; the server's log tells more under `instance`.",
    503: "Nothing can answer or store right now.",
}
_PLAIN = {504: "There was no answer within the seconds of `X-Request-Timeout`."}
_SENDING = {415: "The body is not said to be JSON."}
_SECURED = {401: "Access: no credentials.", 403: "Access: they lack the scope."}
_ALL: Mapping[int, str] = _EVERYWHERE | _PLAIN | _SENDING | _SECURED
_SCHEMA = {"$ref": "#/components/schemas/Problem"}


def describe(document: dict[str, Any]) -> None:
    """Put into a document what its operations may refer to."""
    whole = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(whole.pop("$defs", {}), Problem=whole)
    components["responses"] = {
        f"Problem{status}": _response(why, status) for status, why in _ALL.items()
    } | {"Problem": _response("What went wrong, as RFC 9457 says it.")}


def may_fail(operation: dict[str, Any], method: str, *, plain: bool, secured: bool) -> None:
    """Say how an operation may fail, where it does not say so itself.

    Args:
        operation: of the document.
        method: of HTTP.
        plain: whether the edge answers it itself (``flyball.exchange``).
        secured: whether it needs credentials where callers must have them.
    """
    responses = operation.setdefault("responses", {})
    for status in _of(method, plain=plain, secured=secured):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
    responses["default"] = {"$ref": "#/components/responses/Problem"}


def _of(method: str, *, plain: bool, secured: bool) -> Iterable[int]:
    yield from _EVERYWHERE
    if plain:
        yield from _PLAIN
        if method == "POST":
            yield from _SENDING
    if secured:
        yield from _SECURED


def _response(why: str, status: int = 0) -> dict[str, Any]:
    content = {problems.MEDIA_TYPE: {"schema": _SCHEMA}}
    told = {"description": why, "content": content}
    return told | {"headers": _RETRY} if status in (429, 503) else told
