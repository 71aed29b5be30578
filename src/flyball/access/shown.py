"""What commands and verbs tell of keys, principals and signing keys: never a secret or a digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flyball.domain.access import ApiKey, Principal, Scope, SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyShown:
    """An API key.

    Attributes:
        id: what commands call it by; the part between the underscores of the key.
        name: what it is for.
        scopes: what it allows.
        state: ``"usable"``, ``"expired"`` or ``"revoked"``.
        created_at, expires_at, revoked_at: UTC; None: never.
        rate: requests a minute; None: as configured.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    state: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rate: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalShown:
    """A client or an account.

    Attributes:
        kind: ``"client"`` or ``"account"``.
        name: unique among those of its kind.
        scopes: the most a token of theirs allows.
        state: ``"active"`` or ``"disabled"``.
        created_at, disabled_at: UTC; None: not disabled.
    """

    kind: str
    name: str
    scopes: tuple[Scope, ...]
    state: str
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyShown:
    """A key that signs access tokens.

    Attributes:
        id: the ``kid`` of its tokens.
        state: ``"current"``, ``"ending"`` (its tokens are good until ``retired_at``) or
            ``"retired"``.
        created_at, retired_at: UTC; None: no end is planned.
    """

    id: str
    state: str
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessShown:
    """Everything that lets somebody in, the first made first."""

    keys: tuple[KeyShown, ...]
    principals: tuple[PrincipalShown, ...]
    signing_keys: tuple[SigningKeyShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made.

    Attributes:
        key: what it is.
        text: the key itself; nobody can tell it again.
        replaces: the key that it takes the place of; None for a first one.
    """

    key: KeyShown
    text: str = field(repr=False)
    replaces: KeyShown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClient:
    """A client with a new secret.

    Attributes:
        client: who.
        secret: theirs; nobody can tell it again.
    """

    client: PrincipalShown
    secret: str = field(repr=False)


def key_shown(key: ApiKey, now: datetime) -> KeyShown:
    """A key as it stands now."""
    state = "usable"
    if key.expires_at is not None and key.expires_at <= now:
        state = "expired"
    if key.revoked_at is not None:
        state = "revoked"
    return KeyShown(
        id=key.id,
        name=key.name,
        scopes=key.scopes,
        state=state,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        rate=key.rate,
    )


def principal_shown(found: Principal) -> PrincipalShown:
    """A principal as they stand."""
    return PrincipalShown(
        kind=found.kind,
        name=found.name,
        scopes=found.scopes,
        state="active" if found.disabled_at is None else "disabled",
        created_at=found.created_at,
        disabled_at=found.disabled_at,
    )


def signing_key_shown(key: SigningKey, now: datetime) -> SigningKeyShown:
    """A signing key as it stands now, without its private part."""
    state = "current" if key.retired_at is None else "ending"
    if key.retired_at is not None and key.retired_at <= now:
        state = "retired"
    return SigningKeyShown(
        id=key.id, state=state, created_at=key.created_at, retired_at=key.retired_at
    )
