"""Signing in (OAuth2, RFC 6749): a client by its secret, an account by its password.

What takes long (argon2: about 0.2 s; the database) runs on threads of its own, few and of low
priority, so that a flood of sign-ins does not slow what is being served. An unknown name, a wrong
password and a disabled account take the same work and get the same answer.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, TypeVar

from flyball.access import passwords, refresh
from flyball.access.directory import Directory, Snapshot
from flyball.domain.access import Principal, RefreshFamily, Scope
from flyball.domain.nearest import did_you_mean
from flyball.errors import FlyballError, StorageUnavailable, TooManyRequests, Unauthenticated
from flyball.ports import Clock, Records

AT_ONCE = 2
WAIT_S = 1.0
"""Seconds that one more waits for its turn."""

_NICE = 10
T = TypeVar("T")


class OAuthError(FlyballError):
    """A request that RFC 6749 or RFC 7009 says how to refuse.

    Attributes:
        code: of section 5.2 there.
        subject: who asked, as far as they said.
    """

    status: ClassVar[int] = 400
    title: ClassVar[str] = "No token was given"

    def __init__(self, code: str, message: str, *, subject: str = "nobody") -> None:
        super().__init__(message)
        self.code, self.subject = code, subject


class InvalidClient(OAuthError):
    """The client is unknown or its secret is wrong."""

    status: ClassVar[int] = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """An access token.

    Attributes:
        subject: whose.
        scopes: what it allows.
        lifetime: until it expires.
        refresh_token: to get the next; empty for clients, who have their secret.
    """

    subject: str
    access_token: str
    scopes: tuple[Scope, ...]
    lifetime: timedelta
    refresh_token: str = ""


class SignIn:
    """Gives tokens, takes them back.

    Args:
        directory: who is known.
        records: where sign-ins are kept.
        clock: the time.
        token_lifetime, refresh_lifetime: of what is given.
        verified: (stored hash or None, password) -> whether it is right; takes as long for None.
    """

    def __init__(
        self,
        directory: Directory,
        records: Records,
        clock: Clock,
        *,
        token_lifetime: timedelta,
        refresh_lifetime: timedelta,
        verified: Callable[[str | None, str], bool] = passwords.verified,
    ) -> None:
        self._directory, self._records, self._clock = directory, records, clock
        self._lifetime, self._refresh_lifetime = token_lifetime, refresh_lifetime
        self._verified = verified
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._pool = ThreadPoolExecutor(AT_ONCE, "sign-in", initializer=_step_back)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def as_client(self, name: str, secret: str, asked: str) -> Granted:
        """A token for a client (client credentials, RFC 6749 section 4.4).

        Args:
            asked: the scopes that are wanted, with spaces between; empty: all it may have.

        Raises:
            InvalidClient: unknown, disabled, or the secret is wrong.
            OAuthError: a scope that it may not have.
            TooManyRequests: too many others sign in.
        """
        principal = await self._proven(f"client:{name}", secret)
        if principal is None:
            raise InvalidClient(
                "invalid_client",
                "the client is unknown or disabled, or its secret is wrong",
                subject=f"client:{name}",
            )
        return self._granted(principal.id, principal.epoch, _chosen(asked, principal))

    async def as_account(self, name: str, password: str, asked: str) -> Granted:
        """A token for an account, and one to refresh it (password, RFC 6749 section 4.3).

        Where the database is away there is no refresh token.

        Raises:
            OAuthError: unknown, disabled, a wrong password, or a scope that it may not have.
            TooManyRequests: too many others sign in.
        """
        principal = await self._proven(f"account:{name}", password)
        if principal is None:
            raise OAuthError(
                "invalid_grant",
                "the account is unknown or disabled, or the password is wrong",
                subject=f"account:{name}",
            )
        scopes = _chosen(asked, principal)
        return self._granted(
            principal.id, principal.epoch, scopes, await self._begun(principal, scopes)
        )

    async def refreshed(self, token: str, asked: str) -> Granted:
        """The next access token, and the next refresh token; the one given is spent.

        Raises:
            OAuthError: unknown, expired, revoked or spent, or a scope that was not granted.
            TooManyRequests: too many others sign in.
            StorageUnavailable: the sign-ins cannot be read or written.
        """
        now = self._clock.now()
        try:
            family, following = await self._slowly(
                lambda: refresh.rotated(self._records, token, now=now)
            )
        except Unauthenticated as error:
            raise OAuthError("invalid_grant", str(error)) from None
        scopes = _narrowed(asked, family.scopes, family.subject)
        return self._granted(family.subject, family.epoch, scopes, following)

    async def revoked(self, token: str) -> RefreshFamily | None:
        """End what came from the sign-in of a refresh token; None where it is none of ours.

        Raises:
            TooManyRequests: too many others sign in.
            StorageUnavailable: the sign-ins cannot be read or written.
        """
        now = self._clock.now()
        return await self._slowly(lambda: refresh.revoked(self._records, token, now=now))

    async def _proven(self, subject: str, secret: str) -> Principal | None:
        """Who has this secret; the same work is done whether or not they exist."""
        found = self._known().principals.get(subject)
        stored = None if found is None else found.password
        right = await self._slowly(lambda: self._verified(stored, secret))
        return found if right and found is not None and found.disabled_at is None else None

    async def _begun(self, principal: Principal, scopes: Iterable[Scope]) -> str:
        now, lifetime = self._clock.now(), self._refresh_lifetime
        with suppress(StorageUnavailable):
            return await self._slowly(
                lambda: refresh.begun(self._records, principal, scopes, now=now, lifetime=lifetime)
            )
        return ""

    def _granted(
        self, subject: str, epoch: int, scopes: tuple[Scope, ...], refresh_token: str = ""
    ) -> Granted:
        access_token = self._known().tokens.issue(
            subject, scopes, epoch=epoch, now=self._clock.now(), lifetime=self._lifetime
        )
        return Granted(
            subject=subject,
            access_token=access_token,
            scopes=scopes,
            lifetime=self._lifetime,
            refresh_token=refresh_token,
        )

    def _known(self) -> Snapshot:
        known = self._directory.snapshot
        if known is None:
            raise StorageUnavailable(
                "the accounts of this server could not be read yet; try again in a second"
            )
        return known

    async def _slowly(self, work: Callable[[], T]) -> T:
        """Do this on a thread, when it is its turn."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            raise TooManyRequests(
                "too many are signing in at once; try again in a second", reason="sign_in_busy"
            ) from None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._turns.release()


def _chosen(asked: str, principal: Principal) -> tuple[Scope, ...]:
    allowed = tuple(Scope) if Scope.ADMIN in principal.scopes else principal.scopes
    return _narrowed(asked, allowed, principal.id, default=principal.scopes)


def _narrowed(
    asked: str,
    allowed: Collection[Scope],
    subject: str,
    *,
    default: tuple[Scope, ...] | None = None,
) -> tuple[Scope, ...]:
    """The scopes that were asked for.

    Raises:
        OAuthError: one of them is none, or not theirs.
    """
    names = asked.split()
    if not names:
        return default if default is not None else tuple(allowed)
    for name in names:
        if name not in allowed:
            hint = did_you_mean(name, [str(scope) for scope in allowed])
            raise OAuthError(
                "invalid_scope",
                f"the scope {name[:50]!r} is not granted here{hint}; granted: " + " ".join(allowed),
                subject=subject,
            )
    return tuple(scope for scope in Scope if scope in names)


def _step_back() -> None:
    """Let the threads that serve go first."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
