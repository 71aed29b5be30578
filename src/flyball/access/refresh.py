"""Refresh tokens that are good once: each is exchanged for the next (RFC 9700, section 4.14.2).

``fr_<family>_<turn>_<root><secret>``: the family came from one sign-in; the turn counts its tokens;
all of them share the root, which tells an old token of the family from one that somebody made up;
the secret is the token's own. Only digests of the two are recorded.

A token that was exchanged before and comes back has been stolen, by now or then: the whole family
is revoked, and its owner signs in again. One exception: the token of the turn before, within
``GRACE`` of its exchange, is refused and nothing else, because a client that refreshes in two
places at once does that. Nobody ever gets two tokens for one. So a thief who comes within those two
seconds takes the owner's place, and is found out only when the owner tries their old token again.
An answer that was lost on its way cannot be asked for again: its owner signs in again too.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn

from flyball.access.keys import digest, in_order
from flyball.domain.access import Principal, RefreshFamily, Scope
from flyball.domain.ledger import Entry
from flyball.errors import NotFound, StaleWrite, Unauthenticated
from flyball.ports import Change, Records

GRACE = timedelta(seconds=2)
MOST_FAMILIES = 50
"""Sign-ins that one principal can have at once; with one more the oldest ends."""

REUSED = "a refresh token that was exchanged before came back"
_TRIES = 10
_FORM = re.compile(
    r"fr_([0-9a-f]{12})_([1-9][0-9]{0,8})_([A-Za-z0-9_-]{22})([A-Za-z0-9_-]{43})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A token, taken apart."""

    family: str
    turn: int
    root: str
    secret: str

    def __str__(self) -> str:
        return f"fr_{self.family}_{self.turn}_{self.root}{self.secret}"


def begun(
    records: Records,
    principal: Principal,
    scopes: Iterable[Scope],
    *,
    now: datetime,
    lifetime: timedelta,
) -> str:
    """The first token of a new family, for somebody who has just signed in.

    Args:
        lifetime: of the whole family: after that they sign in again, however often they refreshed.

    Raises:
        InvalidRequest: no scope.
        StorageUnavailable: it cannot be recorded.
    """
    _make_room(records, principal.id, now)
    first = _Shown(secrets.token_hex(6), 1, secrets.token_urlsafe(16), secrets.token_urlsafe(32))
    family = RefreshFamily(
        id=first.family,
        subject=principal.id,
        scopes=in_order(scopes),
        epoch=principal.epoch,
        root=digest(first.root),
        digest=digest(first.secret),
        turn=1,
        created_at=now,
        turned_at=now,
        expires_at=now + lifetime,
    )
    records.commit([Change(value=family)])
    return str(first)


def rotated(records: Records, token: str, *, now: datetime) -> tuple[RefreshFamily, str]:
    """The family of a token, moved on, and its next token; the one given is spent.

    Two who come with one token at the same moment: one gets the next, the other is refused.

    Raises:
        Unauthenticated: it is unknown, spent, expired or revoked, or its owner is disabled or has
            another password since. The message is the same for all.
        StorageUnavailable: the records cannot be read or written; the token is still good, unless
            the answer alone was lost.
    """
    shown, family = _found(records, token)
    if family.revoked_at is not None or family.expires_at <= now:
        _refuse()
    if shown.turn != family.turn or not hmac.compare_digest(family.digest, digest(shown.secret)):
        if shown.turn != family.turn - 1 or now - family.turned_at > GRACE:
            _revoke(records, family, now=now, reason=REUSED)
        _refuse()
    if not _in_good_standing(records, family):
        _refuse()
    after = replace(shown, turn=family.turn + 1, secret=secrets.token_urlsafe(32))
    moved = replace(family, turn=after.turn, digest=digest(after.secret), turned_at=now)
    try:
        records.commit([Change(value=moved, replacing=family)])
    except StaleWrite:
        _refuse()
    return moved, str(after)


def revoked(
    records: Records, token: str, *, now: datetime, reason: str = "signed out"
) -> RefreshFamily | None:
    """End the family of a token, whichever of its turns (RFC 7009); again is harmless.

    Returns:
        The family; None where the token is none of ours, which is no error either.

    Raises:
        StorageUnavailable: the records cannot be read or written.
    """
    try:
        _, family = _found(records, token)
    except Unauthenticated:
        return None
    return _revoke(records, family, now=now, reason=reason)


def _found(records: Records, token: str) -> tuple[_Shown, RefreshFamily]:
    """The family that issued this token, at whichever turn.

    Raises:
        Unauthenticated: no family did.
    """
    form = _FORM.fullmatch(token)
    if form is None:
        _refuse()
    shown = _Shown(form[1], int(form[2]), form[3], form[4])
    try:
        family = records.get(RefreshFamily, shown.family)
    except NotFound:
        _refuse()
    if not hmac.compare_digest(family.root, digest(shown.root)):
        _refuse()
    return shown, family


def _revoke(
    records: Records, family: RefreshFamily, *, now: datetime, reason: str
) -> RefreshFamily:
    """Record the end of a family, whoever else is changing it."""
    for _ in range(_TRIES):
        if family.revoked_at is not None:
            return family
        ended = replace(family, revoked_at=now, reason=reason)
        try:
            records.commit([Change(value=ended, replacing=family)], _told(ended, now))
        except StaleWrite:
            try:
                family = records.get(RefreshFamily, family.id)
            except NotFound:  # made room for a newer one: as good as revoked
                return ended
        else:
            return ended
    raise StaleWrite(f"the sign-in {family.id} of {family.subject} kept changing; try again")


def _told(ended: RefreshFamily, now: datetime) -> list[Entry]:
    """A theft is for the ledger; that somebody signed out is not."""
    if ended.reason != REUSED:
        return []
    return [
        Entry(
            at=now,
            actor="access",
            action="end sign-in",
            subject=ended.subject,
            model="",
            before=f"turn {ended.turn}",
            after="revoked",
            reason=f"{REUSED}: it was stolen, or its client keeps old ones",
        )
    ]


def _in_good_standing(records: Records, family: RefreshFamily) -> bool:
    """Whether the principal may still go on with what they signed in for."""
    with suppress(NotFound):
        owner = records.get(Principal, family.subject)
        return owner.disabled_at is None and owner.epoch == family.epoch
    return False


def _make_room(records: Records, subject: str, now: datetime) -> None:
    """Forget families that are over, and the oldest where there are too many."""
    there = records.find(RefreshFamily, model=subject)
    over = [family for family in there if family.expires_at <= now]
    live = [family for family in there if family.expires_at > now]
    for family in over + live[: max(0, len(live) - MOST_FAMILIES + 1)]:
        records.discard(RefreshFamily, family.id)


def _refuse() -> NoReturn:
    raise Unauthenticated(
        "the refresh token is not valid, has expired or was used before; sign in again at "
        "/auth/token"
    )
