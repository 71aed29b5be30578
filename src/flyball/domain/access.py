"""Who may do what: scopes, callers, and the records behind them.

Secrets are never stored: a record holds a digest of what was shown once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What a caller may do. ``admin`` holds all others."""

    READ = "read"  # ask for answers, health and metrics
    EVENTS = "events"  # send what users did
    ADMIN = "admin"


EVERYTHING = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request.

    Attributes:
        subject: ``"key:<id>"``, ``"client:<name>"``, ``"account:<name>"``, or ``"anyone"``.
        scopes: what they may do.
    """

    subject: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether they may do this."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


ANYONE = Caller("anyone", EVERYTHING)
"""Every caller, where access is not controlled: on loopback only."""

NOBODY = Caller("nobody", frozenset())
"""A caller who has not said who they are, where access is controlled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key for a program. The key itself is ``fb_<id>_<secret>``, shown once.

    Attributes:
        id: public part, 12 hex digits.
        name: what it is for.
        digest: BLAKE2b (256 bits) of the secret, hex; a secret of 256 random bits needs no salt.
        scopes: what it allows.
        created_at, expires_at, revoked_at: UTC; None: never.
        rate: requests a minute; None: the configured ones.
    """

    id: str
    name: str
    digest: str = field(repr=False)
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    rate: int | None = None
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who gets tokens: an OAuth2 client by its secret, or an account by its password.

    Attributes:
        kind: ``"client"`` or ``"account"``.
        name: unique among those of its kind.
        password: argon2id hash of the secret or the password, in PHC form.
        scopes: the most a token of theirs allows.
        created_at, disabled_at: UTC; None: not disabled.
        epoch: tokens of an earlier epoch are void; raised when the password changes.
    """

    kind: str
    name: str
    password: str = field(repr=False)
    scopes: tuple[Scope, ...]
    created_at: datetime
    disabled_at: datetime | None = None
    epoch: int = 1
    model: str = ""

    @property
    def id(self) -> str:
        """``"<kind>:<name>"``: the subject of its tokens."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshFamily:
    """The refresh tokens that came from one sign-in; only the newest is good.

    Attributes:
        id: of the family.
        subject: the ``Principal``'s id.
        scopes: what its access tokens allow.
        epoch: the principal's when they signed in; the family is void in a later one.
        root: digest of the secret that all its tokens share, hex: it tells an old token of the
            family from one that somebody made up.
        digest: of the newest token's own secret, hex.
        turn: how many were issued; a token of an earlier turn that comes back was stolen.
        created_at, turned_at, expires_at, revoked_at: UTC; the second is when the newest was
            issued; None: not revoked.
        reason: why it was revoked.
    """

    id: str
    subject: str
    scopes: tuple[Scope, ...]
    epoch: int
    root: str = field(repr=False)
    digest: str = field(repr=False)
    turn: int
    created_at: datetime
    turned_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    reason: str = ""

    @property
    def model(self) -> str:
        """The subject: under this the families of one principal are found."""
        return self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that signs access tokens (Ed25519). The newest signs; older ones verify until retired.

    Attributes:
        id: the ``kid`` of its tokens.
        private: the private key as a JWK, JSON.
        created_at, retired_at: UTC; from the second on its tokens are void; None: not planned.
    """

    id: str
    private: str = field(repr=False)
    created_at: datetime
    retired_at: datetime | None = None
    model: str = ""
