"""What the topics of ``flyball access`` share."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from flyball.domain.ledger import Entry
from flyball.errors import InvalidRequest
from flyball.ports import Clock, Records

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}", re.ASCII)


class Part:
    """One topic's verbs on one installation.

    Args:
        records: where what is decided is recorded, with its row in the ledger; serving workers
            follow within a second.
        clock: tells the time.
        actor: who decides, for the ledger.
    """

    def __init__(self, records: Records, clock: Clock, actor: str) -> None:
        self._records = records
        self._clock = clock
        self._actor = actor

    def _entry(
        self,
        action: str,
        subject: str,
        reason: str,
        *,
        at: datetime,
        before: str = "",
        after: str = "",
    ) -> Entry:
        """A row of the ledger. Nothing of a secret may be in it."""
        return Entry(
            at=at,
            actor=self._actor,
            action=action,
            subject=subject,
            model="",
            reason=reason,
            before=before,
            after=after,
        )


def checked_name(name: str) -> str:
    """``name`` if it can name a key, a client or an account.

    Raises:
        InvalidRequest: it cannot; says what can.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:80]!r} cannot be a name: use lower-case letters, digits and . _ @ + -, "
            "beginning with a letter or digit, at most 63, for example 'shop-frontend'"
        )
    return name


def checked_time(duration: timedelta, what: str, *, least: timedelta) -> timedelta:
    """``duration`` if it can be.

    Raises:
        InvalidRequest: it is under ``least`` or over a hundred years.
    """
    if not least <= duration <= timedelta(days=36_500):
        raise InvalidRequest(f"{what} cannot be {duration}; give for example '90d' or '1h'")
    return duration
