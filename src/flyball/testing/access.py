"""A key, a principal, a family of refresh tokens and a signing key in one call each.

Any field can be overridden by its name. The secrets behind their digests are nobody's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flyball.domain.access import ApiKey, Principal, RefreshFamily, Scope, SigningKey
from flyball.testing.builders import NOON

PASSWORD = "correct horse battery staple"  # noqa: S105 - of test accounts
"""Whose hash ``a_principal`` has."""

_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=1"
    "$oR47s177dHzc9SCxd0sdgQ$An5A0u1bfalFVjNHZr+dpCF4IXNgoRw0fhMUA0Fhums"
)


def an_api_key(**fields: Any) -> ApiKey:
    """A key that may read and send events, and never expires."""
    defaults: dict[str, Any] = {
        "id": "0123456789ab",
        "name": "shop",
        "digest": "5e" * 32,
        "scopes": (Scope.READ, Scope.EVENTS),
        "created_at": NOON,
    }
    return ApiKey(**(defaults | fields))


def a_principal(**fields: Any) -> Principal:
    """The account ``ada``, whose password is ``PASSWORD``."""
    defaults: dict[str, Any] = {
        "kind": "account",
        "name": "ada",
        "password": _HASH,
        "scopes": (Scope.READ, Scope.EVENTS),
        "created_at": NOON,
    }
    return Principal(**(defaults | fields))


def a_family(**fields: Any) -> RefreshFamily:
    """The refresh tokens of a sign-in of ``a_principal``, good for a day."""
    defaults: dict[str, Any] = {
        "id": "ba9876543210",
        "subject": "account:ada",
        "scopes": (Scope.READ,),
        "epoch": 1,
        "root": "5e" * 32,
        "digest": "e5" * 32,
        "turn": 1,
        "created_at": NOON,
        "turned_at": NOON,
        "expires_at": NOON + timedelta(days=1),
    }
    return RefreshFamily(**(defaults | fields))


def a_signing_key(**fields: Any) -> SigningKey:
    """A record of a key; it signs nothing (``access.tokens.new_signing_key`` makes real ones)."""
    defaults: dict[str, Any] = {"id": "kid-1", "private": "{}", "created_at": NOON}
    return SigningKey(**(defaults | fields))
