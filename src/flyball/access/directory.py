"""What a worker knows of those who may call: keys, principals and signing keys, in memory.

Everything that changes who may call also writes a row of the ledger, so the newest row tells
whether there is anything to read: one row a look, whatever the number of keys. While the database
is away, what was read last goes on being used.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flyball.access.tokens import Tokens
from flyball.domain.access import ApiKey, Caller, Principal, SigningKey
from flyball.ports import Records

READ_AGAIN_S = 10.0
"""Read all again after so long, whether or not the ledger says that something changed."""

ISSUER = "flyball"
AUDIENCE = "flyball-api"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """An API key, ready to be looked at often.

    Attributes:
        record: as it is stored.
        caller: who uses it.
        ends: seconds since 1970 from which it is of no use; minus infinity for a revoked one.
    """

    record: ApiKey
    caller: Caller
    ends: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that was known at one moment. Never changed.

    Attributes:
        keys: by id, those of no more use too.
        principals: by id, disabled ones too.
        signing: the signing keys, by id.
        tokens: verifies access tokens by them, and makes them.
    """

    keys: Mapping[str, KnownKey]
    principals: Mapping[str, Principal]
    signing: Mapping[str, SigningKey]
    tokens: Tokens

    @property
    def anybody(self) -> bool:
        """Whether there is anybody at all who could be let in."""
        return bool(self.keys or self.principals)


class Directory:
    """Follows the records of access. Written by one thread, read by any.

    Attributes:
        snapshot: the newest; None until the records could be read for the first time.

    Args:
        now: a clock that only goes forward, in seconds.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self.snapshot: Snapshot | None = None
        self._now = now
        self._seen = -1
        self._read_at = -math.inf

    def follow(self, records: Records) -> None:
        """Read what changed.

        Raises:
            StorageUnavailable: the database cannot be read; what was known stays.
        """
        newest = records.ledger(limit=1)
        seq = newest[-1].seq if newest else 0
        now = self._now()
        if seq == self._seen and now - self._read_at < READ_AGAIN_S:
            return
        self.snapshot = self._read(records)
        self._seen, self._read_at = seq, now

    def _read(self, records: Records) -> Snapshot:
        signing = {key.id: key for key in records.find(SigningKey)}
        before = self.snapshot
        if before is not None and before.signing == signing:
            tokens = before.tokens
        else:
            tokens = Tokens(signing.values(), issuer=ISSUER, audience=AUDIENCE)
        return Snapshot(
            keys={key.id: known(key) for key in records.find(ApiKey)},
            principals={each.id: each for each in records.find(Principal)},
            signing=signing,
            tokens=tokens,
        )


def known(key: ApiKey) -> KnownKey:
    """A key as the gate looks at it."""
    ends = math.inf if key.expires_at is None else key.expires_at.timestamp()
    if key.revoked_at is not None:
        ends = -math.inf
    return KnownKey(key, Caller(f"key:{key.id}", frozenset(key.scopes)), ends)
