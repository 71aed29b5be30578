"""Verbs on those who get tokens: OAuth2 clients by their secret, accounts by their password."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from flyball.access.keys import in_order
from flyball.access.part import Part, checked_name
from flyball.access.passwords import hashed, refuse_weak
from flyball.access.shown import NewClient, PrincipalShown, principal_shown
from flyball.access.tokens import good, new_signing_key
from flyball.domain.access import Principal, Scope, SigningKey
from flyball.domain.nearest import did_you_mean
from flyball.errors import IllegalTransition, InvalidRequest, NotFound
from flyball.ports import Change

CLIENT, ACCOUNT = "client", "account"


class Principals(Part):
    """Clients and accounts."""

    def create_client(self, name: str, scopes: Iterable[Scope]) -> NewClient:
        """A new OAuth2 client. The answer alone holds its secret.

        Raises:
            InvalidRequest: a name or scope that cannot be, or the name is taken.
        """
        secret = _secret()
        return NewClient(client=self._create(CLIENT, name, secret, scopes), secret=secret)

    def rotate_client(self, name: str) -> NewClient:
        """A new secret for a client; the old one and all its tokens are void within a second.

        Raises:
            NotFound: there is no such client.
            IllegalTransition: it is disabled.
            StaleWrite: somebody else changed it at the same moment.
        """
        secret = _secret()
        changed = self._renewed(CLIENT, name, secret, "rotate client", "a new secret")
        return NewClient(client=changed, secret=secret)

    def create_account(self, name: str, password: str, scopes: Iterable[Scope]) -> PrincipalShown:
        """A new account.

        Raises:
            InvalidRequest: a name or scope that cannot be, a weak password, or the name is taken.
        """
        refuse_weak(password, name=name)
        return self._create(ACCOUNT, name, password, scopes)

    def set_password(self, name: str, password: str) -> PrincipalShown:
        """Another password for an account; it is signed out everywhere within a second.

        Raises:
            NotFound: there is no such account.
            IllegalTransition: it is disabled.
            InvalidRequest: a weak password.
            StaleWrite: somebody else changed it at the same moment.
        """
        refuse_weak(password, name=name)
        return self._renewed(ACCOUNT, name, password, "change password", "another password")

    def disable(self, kind: str, name: str, *, reason: str = "") -> PrincipalShown:
        """Nobody gets in by this client or account; its tokens are void. Again is harmless.

        Args:
            kind: ``"client"`` or ``"account"``.
            reason: for the ledger.

        Raises:
            NotFound: there is none of this name.
            StaleWrite: somebody else changed it at the same moment.
        """
        old, now = self._principal(kind, name), self._clock.now()
        if old.disabled_at is not None:
            return principal_shown(old)
        return self._replaced(
            old, replace(old, disabled_at=now, epoch=old.epoch + 1), "disable", reason, now
        )

    def enable(self, kind: str, name: str, *, reason: str = "") -> PrincipalShown:
        """Let a disabled one in again, by the password it had; its old tokens stay void.

        Raises:
            NotFound: there is none of this name.
            StaleWrite: somebody else changed it at the same moment.
        """
        old, now = self._principal(kind, name), self._clock.now()
        if old.disabled_at is None:
            return principal_shown(old)
        return self._replaced(old, replace(old, disabled_at=None), "enable", reason, now)

    def principals(self) -> list[PrincipalShown]:
        """All clients and accounts, the first made first."""
        return [principal_shown(found) for found in self._records.find(Principal)]

    # --- how --------------------------------------------------------------------------------

    def _create(
        self, kind: str, name: str, password: str, scopes: Iterable[Scope]
    ) -> PrincipalShown:
        """Record a new one; with the first comes the first key that signs tokens."""
        allowed = in_order(scopes)
        if any(known.name == checked_name(name) for known in self._of(kind)):
            raise InvalidRequest(
                f"there is {_a(kind)} {name!r} already; "
                f"see `flyball access list`, and `flyball access {kind} --help` for changing it"
            )
        made, now = hashed(password), self._clock.now()
        new = Principal(kind=kind, name=name, password=made, scopes=allowed, created_at=now)
        entry = self._entry(f"create {kind}", new.id, f"may {', '.join(allowed)}", at=now)
        self._records.commit([Change(value=new), *self._first_signing_key(now)], [entry])
        return principal_shown(new)

    def _renewed(
        self, kind: str, name: str, password: str, action: str, reason: str
    ) -> PrincipalShown:
        old = self._principal(kind, name)
        if old.disabled_at is not None:
            raise IllegalTransition(
                f"the {kind} {name} is disabled; `flyball access {kind} enable {name}` comes first"
            )
        new = replace(old, password=hashed(password), epoch=old.epoch + 1)
        return self._replaced(old, new, action, reason, self._clock.now())

    def _replaced(
        self, old: Principal, new: Principal, action: str, reason: str, now: datetime
    ) -> PrincipalShown:
        entry = self._entry(action, old.id, reason or f"decided by {self._actor}", at=now)
        self._records.commit([Change(value=new, replacing=old)], [entry])
        return principal_shown(new)

    def _principal(self, kind: str, name: str) -> Principal:
        known = {found.name: found for found in self._of(kind)}
        if name not in known:
            raise NotFound(
                f"there is no {kind} {name[:80]!r}{did_you_mean(name, known)}; "
                "see `flyball access list`"
            )
        return known[name]

    def _of(self, kind: str) -> list[Principal]:
        return [found for found in self._records.find(Principal) if found.kind == kind]

    def _first_signing_key(self, now: datetime) -> Sequence[Change]:
        if any(good(key, now) for key in self._records.find(SigningKey)):
            return ()
        return (Change(value=new_signing_key(now)),)


def _secret() -> str:
    return f"fc_{secrets.token_urlsafe(32)}"


def _a(kind: str) -> str:
    return f"an {kind}" if kind == ACCOUNT else f"a {kind}"
