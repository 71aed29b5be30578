"""Verbs on API keys: create, rotate, revoke, list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from flyball.access import keys
from flyball.access.part import Part, checked_name, checked_time
from flyball.access.shown import KeyShown, NewKey, key_shown
from flyball.domain.access import ApiKey, Scope
from flyball.errors import IllegalTransition
from flyball.ports import Change

SECOND = timedelta(seconds=1)
GRACE = timedelta(hours=1)
"""How long a key works on after it was rotated, unless told."""


class Keys(Part):
    """API keys."""

    def create_key(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        expires: timedelta | None = None,
        rate: int | None = None,
    ) -> NewKey:
        """A new key. The answer alone holds it.

        Args:
            name: what it is for; several keys may have one name.
            scopes: what it allows, one or more.
            expires: how long it works; None: until it is revoked.
            rate: requests a minute; None: as configured.

        Raises:
            InvalidRequest: a name, scope, time or rate that cannot be.
        """
        now = self._clock.now()
        key, text = keys.minted(
            checked_name(name), scopes, now=now, expires_at=_end(expires, now), rate=rate
        )
        entry = self._entry("create key", key.id, _words(key), at=now)
        self._records.commit([Change(value=key)], [entry])
        return NewKey(key=key_shown(key, now), text=text)

    def rotate_key(
        self, id: str, *, grace: timedelta = GRACE, expires: timedelta | None = None
    ) -> NewKey:
        """A new key in place of one, which works on for a while.

        Args:
            id: of the old key; the key itself is taken too.
            grace: how long the old one works on, at most until its own end; 0 ends it at once.
            expires: how long the new one works; None: as long as the old one was made for.

        Raises:
            NotFound: there is no such key.
            IllegalTransition: it was revoked or has expired.
            InvalidRequest: a time that cannot be.
            StaleWrite: somebody else changed it at the same moment.
        """
        now, old = self._clock.now(), self._key(id)
        if not keys.usable(old, now):
            raise IllegalTransition(
                f"the key {old.id} ({old.name}) is {key_shown(old, now).state}, so nothing uses "
                "it; make a new one with `flyball access key create`"
            )
        end = now + checked_time(grace, "the grace", least=timedelta(0))
        if old.expires_at is not None:
            end = min(end, old.expires_at)
            made_for = old.expires_at - old.created_at
            expires = made_for if expires is None else expires
        ending = replace(old, expires_at=end)
        new, text = keys.minted(
            old.name, old.scopes, now=now, expires_at=_end(expires, now), rate=old.rate
        )
        reason = f"{_words(new)}; {old.id} works until {end:%Y-%m-%d %H:%M:%S} UTC"
        entry = self._entry("rotate key", old.id, reason, at=now, before=old.id, after=new.id)
        self._records.commit([Change(value=ending, replacing=old), Change(value=new)], [entry])
        return NewKey(key=key_shown(new, now), text=text, replaces=key_shown(ending, now))

    def revoke_key(self, id: str, *, reason: str = "") -> KeyShown:
        """End a key now, for good; again is harmless.

        Args:
            id: of the key; the key itself is taken too.
            reason: for the ledger.

        Raises:
            NotFound: there is no such key.
            StaleWrite: somebody else changed it at the same moment.
        """
        now, old = self._clock.now(), self._key(id)
        if old.revoked_at is None:
            ended = replace(old, revoked_at=now)
            entry = self._entry(
                "revoke key", old.id, reason or f"decided by {self._actor}", at=now, after="revoked"
            )
            self._records.commit([Change(value=ended, replacing=old)], [entry])
            old = ended
        return key_shown(old, now)

    def keys(self) -> list[KeyShown]:
        """All keys, the first made first; nothing of their secrets."""
        now = self._clock.now()
        return [key_shown(key, now) for key in self._records.find(ApiKey)]

    def _key(self, id: str) -> ApiKey:
        """A key by its id, or by itself, which no message may repeat."""
        whole = keys.parted(id.strip())
        return self._records.get(ApiKey, whole[0] if whole else _without_secret(id))


def _without_secret(id: str) -> str:
    """The id in what may be a key that was cut off or mistyped."""
    return id[3:15] if id.startswith("fb_") else id[:40]


def _end(expires: timedelta | None, now: datetime) -> datetime | None:
    if expires is None:
        return None
    return now + checked_time(expires, "the time until it expires", least=SECOND)


def _words(key: ApiKey) -> str:
    parts = [f"{key.name} may {', '.join(key.scopes)}"]
    if key.expires_at is not None:
        parts.append(f"until {key.expires_at:%Y-%m-%d %H:%M} UTC")
    if key.rate is not None:
        parts.append(f"{key.rate} requests a minute")
    return ", ".join(parts)
