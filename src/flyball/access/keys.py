"""API keys: ``fb_<id>_<secret>``, shown once; of the secret only a digest is kept.

A secret of 256 random bits cannot be guessed, so one fast hash without a salt is enough: salts and
slow hashes protect what people choose.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

from flyball.domain.access import ApiKey, Scope
from flyball.errors import InvalidRequest

_FORM = re.compile(r"fb_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_ID_BYTES = 6
_SECRET_BYTES = 32  # 43 characters in base64


def minted(
    name: str,
    scopes: Iterable[Scope],
    *,
    now: datetime,
    expires_at: datetime | None = None,
    rate: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key: what is recorded of it, and the key itself, which nobody can tell again.

    Args:
        scopes: one or more; kept in a fixed order, each once.
        expires_at: UTC; None: never.
        rate: requests a minute, 1 or more; None: the configured ones.

    Raises:
        InvalidRequest: no scope, a rate below 1, or an end that is not after ``now``.
    """
    if rate is not None and rate < 1:
        raise InvalidRequest(f"a rate of {rate} requests a minute lets nothing through; give 1 up")
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest(f"the key {name!r} would have expired before it is made; give it time")
    id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    key = ApiKey(
        id=id,
        name=name,
        digest=digest(secret),
        scopes=in_order(scopes),
        created_at=now,
        expires_at=expires_at,
        rate=rate,
    )
    return key, f"fb_{id}_{secret}"


def parted(text: str) -> tuple[str, str] | None:
    """Id and secret of what has a key's form; None for anything else."""
    found = _FORM.fullmatch(text)
    return None if found is None else (found[1], found[2])


def matches(key: ApiKey, secret: str) -> bool:
    """Whether this is the key's secret. Takes the same time wherever they differ."""
    return hmac.compare_digest(key.digest, digest(secret))


def usable(key: ApiKey, now: datetime) -> bool:
    """Whether it is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def digest(secret: str) -> str:
    """BLAKE2b of a random secret: 256 bits in hex."""
    return blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def in_order(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """The scopes, each once, as ``Scope`` lists them.

    Raises:
        InvalidRequest: there is none, or one that nobody knows.
    """
    asked = set(scopes)
    if unknown := asked.difference(Scope):
        names = ", ".join(sorted(map(repr, unknown)))
        raise InvalidRequest(f"there is no scope {names}; there are {', '.join(Scope)}")
    if not asked:
        raise InvalidRequest(f"no scope is given; give one or more of {', '.join(Scope)}")
    return tuple(scope for scope in Scope if scope in asked)
