"""Bundles: what a move of a version rested on, in one signed document; and their chain.

A bundle's text is its canonical JSON. The digest and the signature are of those bytes, so a bundle
stays checkable whatever later versions of Flyball know to say. Each names the digest of the one
before it of the same version, and a row of the ledger as it stood when the bundle was signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flyball.domain.canonical import canonical_json, digest
from flyball.domain.evidence import Evidence
from flyball.domain.facts import Facts
from flyball.domain.ledger import GENESIS, Entry, LedgerRow

FORMAT = "flyball-evidence/1"

TRANSITION = "transition"
"""The ledger's action that a bundle belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move of the lifecycle, as the ledger has it.

    Attributes:
        source, target: states; ``source`` is empty where the version was registered.
        at: when, UTC.
        actor, reason: who, and why in words.
        approver: who approved full traffic, or took it without the judge; empty where nobody did.
        evidence: what the lifecycle asked for.
        entry: digest of the ledger's entry.
    """

    source: str
    target: str
    at: datetime
    actor: str
    reason: str
    entry: str
    approver: str = ""
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The ledger's last row when the bundle was signed; ``seq`` 0 where there was none."""

    seq: int = 0
    digest: str = GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Everything one move rested on.

    Attributes:
        model, version: whose move; ``version`` is the name.
        number: counts the version's bundles from 1.
        previous: digest of the one before; ``GENESIS`` for the first.
        ledger: a row of the ledger before this move.
    """

    model: str
    version: str
    number: int
    previous: str
    move: Move
    ledger: Anchor
    facts: Facts
    format: str = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBundle:
    """A bundle as it is stored. It is never replaced.

    Attributes:
        body: the bundle's canonical JSON.
        digest: SHA-256 (hex) of its bytes.
        key: SHA-256 (hex) of the public key; empty where it could not be signed.
        signature: Ed25519 over the same bytes, hex.
    """

    model: str
    version: str
    number: int
    body: str
    digest: str
    key: str
    signature: str

    @property
    def id(self) -> str:
        """``"<model>/<version>/<number>"``."""
        return f"{self.model}/{self.version}/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTip:
    """The newest bundle of a version; replaced with each, so that no two can follow the same."""

    model: str
    version: str
    number: int
    digest: str

    @property
    def id(self) -> str:
        """``"<model>/<version>"``."""
        return f"{self.model}/{self.version}"


def text(bundle: Bundle) -> str:
    """The bytes that are signed, as text."""
    return canonical_json(bundle).decode()


def text_digest(body: str) -> str:
    """SHA-256 (hex) of a body."""
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def tip_of(signed: SignedBundle) -> ChainTip:
    """The tip of a chain that ends with this bundle."""
    return ChainTip(
        model=signed.model, version=signed.version, number=signed.number, digest=signed.digest
    )


def move_of(entry: Entry, *, approver: str = "") -> Move:
    """The move that a ``transition`` of the ledger is."""
    return Move(
        source=entry.before,
        target=entry.after,
        at=entry.at,
        actor=entry.actor,
        reason=entry.reason,
        entry=digest(entry),
        approver=approver,
        evidence=entry.evidence,
    )


def moves(rows: Iterable[LedgerRow], subject: str) -> list[LedgerRow]:
    """The rows that are moves of one version, by rising ``seq``."""
    return [r for r in rows if r.entry.action == TRANSITION and r.entry.subject == subject]
