"""Who is let in where callers need credentials: an API key or an access token with each request.

Everything is in memory, and a credential that was checked before costs a lookup. The answer to a
wrong one never tells what is wrong with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from flyball.access import keys
from flyball.access.audit import Audit, Note
from flyball.access.directory import Directory, KnownKey, Snapshot
from flyball.access.limiter import Limiter, site_of
from flyball.access.tokens import Claims, Tokens
from flyball.domain.access import EVERYTHING, NOBODY, Caller, Principal, Scope
from flyball.errors import (
    AccessError,
    FlyballError,
    Forbidden,
    StorageUnavailable,
    TooManyRequests,
    Unauthenticated,
)

MOST_TOKENS = 4096
"""Verified tokens that are remembered; about 1.5 kB each."""

KEY_PREFIX = b"fb_"
_LONGEST = 4096

NEEDED = (
    "this needs credentials: an API key in the header X-API-Key (flyball access key create), or an "
    "access token of POST /auth/token in Authorization: Bearer"
)
NOT_GOOD = (
    "these credentials are not good: unknown, wrong, expired, revoked or disabled; ask whoever "
    "runs this server for an API key, or get a new access token at /auth/token"
)
NOT_ALIKE = "Authorization and X-API-Key hold different credentials; send one of them"


@dataclass(slots=True)
class _Seen:
    """A token whose signature was verified.

    Attributes:
        tokens: by which keys. Others now: it must be verified again.
        principal: whose it is, as known when ``caller`` was made.
        ends: seconds since 1970.
    """

    tokens: Tokens
    claims: Claims
    principal: Principal
    caller: Caller
    ends: float


class AccessGate:
    """Lets in who shows an API key or an access token. For one thread: the event loop's.

    Args:
        directory: who is known.
        limiter: counts requests.
        audit: is told of refusals; None: nobody is.
        client_rate: requests a minute of one client; 0: no limit.
        failure_rate: of one address, with credentials that are not good.
        count: is told the reason of each refusal.
        now: seconds since 1970.
    """

    def __init__(
        self,
        directory: Directory,
        limiter: Limiter,
        *,
        audit: Audit | None = None,
        client_rate: int = 0,
        failure_rate: int = 0,
        count: Callable[[str], None] = lambda _reason: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._directory, self._limiter, self._audit = directory, limiter, audit
        self._client_rate, self._failure_rate = client_rate, failure_rate
        self._count, self._now = count, now
        self._seen: dict[bytes, _Seen] = {}
        self._proven: dict[bytes, KnownKey] = {}
        self._proven_in: Snapshot | None = None

    def admit(self, headers: Mapping[bytes, bytes], address: str, scope: Scope | None, /) -> Caller:
        """See ``serving.edge.gate.Gate``."""
        if scope is None:
            return NOBODY
        credential = _credential(headers)
        try:
            caller, rate = self._identified(credential)
        except Unauthenticated as error:
            self._failed(address, error)
        self._limiter.take(
            caller.subject,
            rate,
            what="requests of this client",
            reason="client_rate",
            subject=caller.subject,
        )
        if not caller.may(scope):  # counted before: what is refused costs too, and is noted
            raise Forbidden(
                f"this needs the scope {scope.value!r}, and these credentials do not have it",
                reason="scope",
                subject=caller.subject,
            )
        return caller

    def refused(self, method: str, path: str, address: str, error: FlyballError) -> None:
        """Note that a request was refused, by this gate or by a limit; other errors are ignored."""
        if isinstance(error, AccessError | TooManyRequests) and error.reason:
            self._count(error.reason)
            if self._audit is not None:
                self._audit.note(
                    Note(
                        error.subject, address, method, path, "refused", error.reason, error.status
                    )
                )

    def administered(
        self, caller: Caller, method: str, path: str, address: str, status: int
    ) -> None:
        """Note that somebody did what needs the scope ``admin``."""
        if self._audit is not None:
            self._audit.note(Note(caller.subject, address, method, path, "admin", "", status))

    def _identified(self, credential: bytes) -> tuple[Caller, int]:
        known = self._directory.snapshot
        if known is None:
            raise StorageUnavailable(
                "the keys of this server could not be read yet; try again in a second"
            )
        if credential.startswith(KEY_PREFIX):
            return self._by_key(known, credential)
        return self._by_token(known, credential), self._client_rate

    def _by_key(self, known: Snapshot, credential: bytes) -> tuple[Caller, int]:
        if self._proven_in is not known:
            self._proven, self._proven_in = {}, known
        found = self._proven.get(credential) or self._matched(known, credential)
        if found.ends <= self._now():
            revoked = found.record.revoked_at is not None
            _refuse("revoked_key" if revoked else "expired_key", found.caller.subject)
        rate = found.record.rate
        return found.caller, self._client_rate if rate is None else rate

    def _matched(self, known: Snapshot, credential: bytes) -> KnownKey:
        """Check a secret, and remember that it is right."""
        parts = keys.parted(credential.decode("latin-1"))
        found = None if parts is None else known.keys.get(parts[0])
        if parts is None or found is None:
            _refuse("unknown_key")
        if not keys.matches(found.record, parts[1]):
            _refuse("wrong_key", found.caller.subject)
        self._proven[credential] = found
        return found

    def _by_token(self, known: Snapshot, credential: bytes) -> Caller:
        seen = self._seen.get(credential)
        if seen is None or seen.tokens is not known.tokens:
            seen = self._verified(known, credential)
        if seen.ends <= self._now():
            self._seen.pop(credential, None)
            _refuse("expired_token", seen.claims.subject)
        principal = known.principals.get(seen.claims.subject)
        if principal is not seen.principal:
            seen.principal, seen.caller = _whose(seen.claims, principal)
        return seen.caller

    def _verified(self, known: Snapshot, credential: bytes) -> _Seen:
        """Check a signature, and remember that it is good."""
        moment = datetime.fromtimestamp(self._now(), UTC)
        try:
            claims = known.tokens.verified(credential.decode("latin-1"), moment)
        except Unauthenticated:
            self._seen.pop(credential, None)
            _refuse("bad_token")
        principal, caller = _whose(claims, known.principals.get(claims.subject))
        seen = _Seen(known.tokens, claims, principal, caller, claims.expires_at.timestamp())
        if len(self._seen) >= MOST_TOKENS:
            del self._seen[next(iter(self._seen))]
        self._seen[credential] = seen
        return seen

    def _failed(self, address: str, error: Unauthenticated) -> NoReturn:
        """Refuse, or refuse to go on trying. Good credentials of the same address stay good."""
        self._limiter.take(
            f"failed/{site_of(address)}",
            self._failure_rate,
            what="requests with wrong credentials from this address",
            reason="address_rate",
            subject=error.subject,
        )
        raise error


def _credential(headers: Mapping[bytes, bytes]) -> bytes:
    """What the caller shows.

    Raises:
        Unauthenticated: nothing, or two things.
    """
    key, said = headers.get(b"x-api-key"), headers.get(b"authorization")
    if said is None:
        if not key:
            raise Unauthenticated(NEEDED, reason="no_credentials")
        return key if key.startswith(KEY_PREFIX) else b""
    scheme, _, shown = said.partition(b" ")
    shown = shown.strip()
    if scheme.lower() != b"bearer" or len(shown) > _LONGEST:
        raise Unauthenticated(NEEDED, reason="no_credentials")
    if key is not None and key != shown:
        raise Unauthenticated(NOT_ALIKE, reason="two_credentials")
    return shown


def _whose(claims: Claims, principal: Principal | None) -> tuple[Principal, Caller]:
    """Whose token it is, and what they may do with it now.

    Raises:
        Unauthenticated: they are gone, disabled, or have changed their password since.
    """
    if principal is None:
        _refuse("unknown_subject", claims.subject)
    if principal.disabled_at is not None:
        _refuse("disabled", claims.subject)
    if principal.epoch != claims.epoch:
        _refuse("revoked_token", claims.subject)
    allowed = EVERYTHING if Scope.ADMIN in principal.scopes else frozenset(principal.scopes)
    return principal, Caller(principal.id, claims.scopes & allowed)


def _refuse(reason: str, subject: str = "nobody") -> NoReturn:
    raise Unauthenticated(NOT_GOOD, reason=reason, subject=subject)
