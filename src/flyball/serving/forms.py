"""The forms of OAuth2: what they hold, and how a client shows its secret (RFC 6749)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote_plus

from fastapi import Request

from flyball.access.sign_in import InvalidClient, OAuthError

MOST_BYTES = 16 * 1024
MOST_FIELDS = 20
FORM = "application/x-www-form-urlencoded"

Form: TypeAlias = Mapping[str, str]

TOKEN_FIELDS = {
    "grant_type": "client_credentials, password or refresh_token",
    "scope": "What is wanted, with spaces between: read, events, admin; default all that may be.",
    "client_id": "Of a client, unless sent by HTTP Basic.",
    "client_secret": "Of a client, unless sent by HTTP Basic.",
    "username": "Of an account.",
    "password": "Of an account.",
    "refresh_token": "The newest of a sign-in.",
}
REFRESH_FIELDS = {
    "grant_type": "refresh_token",
    "refresh_token": "The newest of a sign-in.",
    "scope": "Less than was granted; default all of it.",
}
REVOKE_FIELDS = {
    "token": "A refresh token, the newest or an older one.",
    "token_type_hint": "Is not needed.",
}


def described(fields: Mapping[str, str], needed: str) -> dict[str, Any]:
    """A form as OpenAPI has it.

    Args:
        needed: the field that must be there.
    """
    schema = {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": text, "minLength": int(name == needed)}
            for name, text in fields.items()
        },
        "required": [needed],
    }
    return {"required": True, "content": {FORM: {"schema": schema}}}


async def read(request: Request) -> Form:
    """The fields of a form.

    Raises:
        OAuthError: it is none, is too large, or gives a field more than once.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise OAuthError("invalid_request", f"send a form, with the header Content-Type: {FORM}")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise OAuthError("invalid_request", f"the form has more than {MOST_BYTES:,} bytes")
    try:
        text = body.decode("ascii")
        fields = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise OAuthError("invalid_request", "the form cannot be read as UTF-8") from None
    found = dict(fields)
    if len(found) != len(fields):
        raise OAuthError("invalid_request", "a field of the form is given more than once")
    return found


def needed(form: Form, name: str) -> str:
    """The value of a field.

    Raises:
        OAuthError: there is none.
    """
    value = form.get(name, "")
    if not value:
        raise OAuthError("invalid_request", f"the form has no {name}")
    return value


def client(form: Form, request: Request) -> tuple[str, str]:
    """The client's id and secret, from the one place where they are.

    Raises:
        OAuthError: they are in two places, or cannot be read.
        InvalidClient: they are nowhere.
    """
    said = request.headers.get("authorization")
    if said is None:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
    elif "client_secret" in form:
        raise OAuthError("invalid_request", "the client shows its secret twice; do it once")
    else:
        name, secret = _basic(said)
    if not name or not secret:
        raise InvalidClient("invalid_client", "a client shows its client_id and client_secret")
    return name, secret


def _basic(said: str) -> tuple[str, str]:
    """What HTTP Basic holds; RFC 6749, section 2.3.1, has both parts encoded as in a form."""
    scheme, _, shown = said.partition(" ")
    try:
        text = base64.b64decode(shown.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if scheme.lower() != "basic" or ":" not in text:
        raise InvalidClient("invalid_client", "the header Authorization holds no HTTP Basic")
    name, _, secret = text.partition(":")
    return unquote_plus(name), unquote_plus(secret)
