"""Access tokens: JWTs after RFC 9068, signed by Ed25519 (RFC 8037, RFC 9864) and nothing else.

A key signs once it is ``SETTLE`` old, so that every worker knows it before the first of its tokens
arrives; a key that is replaced verifies until the last of its tokens has expired. So keys change
without a request being refused.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import OKPKey
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from flyball.domain.access import Scope, SigningKey
from flyball.errors import EnvironmentFailed, InvalidRequest, Unauthenticated

ALGORITHM = "Ed25519"
TYPE = "at+jwt"
LONGEST_LIFETIME = timedelta(hours=1)
"""No access token lives longer: what is revoked on paper is void everywhere after that."""

SETTLE = timedelta(seconds=5)
"""How long a new key is only known, before it signs; workers read keys every second."""

_SKEW_S = 5
"""How far the clocks of two machines may differ: a token may be from so near a future."""

_LONGEST_TOKEN = 4096
_OTHERS = ("sub", "epoch", "iat", "nbf", "exp", "jti")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says.

    Attributes:
        subject: the principal's id.
        scopes: what it allows; scopes this version does not know are left out.
        epoch: the principal's when it was issued; void if theirs is a later one now.
        expires_at: UTC.
    """

    subject: str
    scopes: frozenset[Scope]
    epoch: int
    expires_at: datetime


def new_signing_key(now: datetime) -> SigningKey:
    """A new Ed25519 key; its id is its thumbprint (RFC 7638)."""
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    private = json.dumps(key.as_dict(private=True), sort_keys=True)
    return SigningKey(id=str(key.kid), private=private, created_at=now)


def succeeded(keys: Iterable[SigningKey], now: datetime, *, at_once: bool) -> list[SigningKey]:
    """Those of the keys that end where a new one is made, with their ends.

    Args:
        at_once: their tokens are void from now on, as after a leak. Else when the last that they
            may still sign has expired.
    """
    end = now if at_once else now + SETTLE + LONGEST_LIFETIME
    return [
        replace(key, retired_at=end)
        for key in keys
        if key.retired_at is None or end < key.retired_at
    ]


class Tokens:
    """Issues and verifies, by a set of keys that does not change. Safe from many threads.

    Args:
        keys: those that verify; retired ones are passed over.
        issuer, audience: what this installation's tokens name.
    """

    def __init__(self, keys: Iterable[SigningKey], *, issuer: str, audience: str) -> None:
        known = sorted(keys, key=lambda key: (key.created_at, key.id))
        self._records = {key.id: key for key in known}
        self._keys = {key.id: OKPKey.import_key(json.loads(key.private)) for key in known}
        self._issuer, self._audience = issuer, audience

    def issue(
        self,
        subject: str,
        scopes: Iterable[Scope],
        *,
        epoch: int,
        now: datetime,
        lifetime: timedelta,
    ) -> str:
        """A token.

        Raises:
            InvalidRequest: the lifetime is not above 0 and at most ``LONGEST_LIFETIME``.
            EnvironmentFailed: there is no key that signs.
        """
        if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
            raise InvalidRequest(
                f"an access token lives for up to {LONGEST_LIFETIME}, not for {lifetime}; give "
                "refresh tokens a longer life instead"
            )
        since = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "client_id": subject,
            "scope": " ".join(scope for scope in Scope if scope in set(scopes)),
            "epoch": epoch,
            "iat": since,
            "nbf": since,
            "exp": int((now + lifetime).timestamp()),
            "jti": secrets.token_urlsafe(16),
        }
        signer = self._signer(now)
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": signer}
        return jwt.encode(header, claims, self._keys[signer], algorithms=[ALGORITHM])

    def verified(self, token: str, now: datetime) -> Claims:
        """What a token says, if it is one of ours and good now.

        Raises:
            Unauthenticated: it is not, for whatever reason; the message says no more than a
                stranger may know.
        """
        if len(token) > _LONGEST_TOKEN:
            _refuse()
        try:
            found = jwt.decode(token, self._verifier(now), algorithms=[ALGORITHM])
            if found.header.get("typ") != TYPE:
                _refuse()
            return self._checked(found.claims, now)
        except (JoseError, ValueError, TypeError, RecursionError, OverflowError) as error:
            _refuse(error)

    def _checked(self, claims: dict[str, Any], now: datetime) -> Claims:
        """Raises what ``verified`` translates."""
        seconds = now.timestamp()
        needed: dict[str, ClaimsOption] = {
            "iss": {"essential": True, "value": self._issuer},
            "aud": {"essential": True, "value": self._audience},
            **{name: {"essential": True} for name in _OTHERS},
        }
        JWTClaimsRegistry(int(seconds), _SKEW_S, **needed).validate(claims)
        epoch, scope, subject = claims["epoch"], claims.get("scope"), claims["sub"]
        if type(epoch) is not int or not isinstance(scope, str) or claims["exp"] <= seconds:
            _refuse()
        said = scope.split()
        return Claims(
            subject=subject,
            scopes=frozenset(known for known in Scope if known in said),
            epoch=epoch,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    def _verifier(self, now: datetime) -> Any:
        """Finds the key that a token names, never one that it brings."""

        def key(token: Any) -> OKPKey:
            kid = token.headers().get("kid")
            record = self._records.get(kid) if isinstance(kid, str) else None
            if record is None or not good(record, now):
                raise InvalidKeyIdError
            return self._keys[record.id]

        return key

    def _signer(self, now: datetime) -> str:
        """The newest key that has settled, or else the oldest there is."""
        able = [key for key in self._records.values() if good(key, now)]
        settled = [key for key in able if key.created_at + SETTLE <= now]
        if not able:
            raise EnvironmentFailed(
                "there is no key to sign tokens with; make one with "
                "`flyball access rotate-signing-key`"
            )
        return settled[-1].id if settled else able[0].id


def good(key: SigningKey, now: datetime) -> bool:
    """Whether tokens of this key are good."""
    return key.retired_at is None or now < key.retired_at


def _refuse(error: Exception | None = None) -> NoReturn:
    raise Unauthenticated(
        "the access token is not valid or has expired; get a new one at /auth/token"
    ) from error
