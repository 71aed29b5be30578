"""A version's chain of bundles as one JSON document, which anyone can check with the public key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from flyball.domain.bundle import FORMAT, Bundle, SignedBundle
from flyball.domain.canonical import digest, plain
from flyball.domain.ledger import LedgerRow, chained
from flyball.errors import EvidenceBroken, InvalidRequest
from flyball.steps.verifying import Check, Holds, Proven, chain

CHECKED = ("signatures and chain", "the ledger's rows that stand in the file")


class Exported(msgspec.Struct, forbid_unknown_fields=True):
    """The document.

    Attributes:
        bundles: by their numbers; each ``body`` is the text that was signed.
        ledger: the rows of the moves.
        keys: public keys (PEM) by their ids, for convenience: trust only one that you know.
    """

    format: str
    model: str
    version: str
    bundles: list[SignedBundle]
    ledger: list[LedgerRow]
    keys: dict[str, str]


def exported(
    signed: Sequence[SignedBundle], rows: Sequence[LedgerRow], keys: Mapping[str, str]
) -> str:
    """The document of one version.

    Args:
        signed: all bundles of the version, by their numbers.
        rows: the ledger's rows of its moves.
        keys: PEM by id; those that signed are kept.
    """
    used = {one.key for one in signed}
    content: dict[str, Any] = {
        "format": FORMAT,
        "model": signed[0].model,
        "version": signed[0].version,
        "bundles": signed,
        "ledger": rows,
        "keys": {id: pem for id, pem in keys.items() if id in used},
    }
    return json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def verify_exported(content: bytes, check: Check) -> Holds:
    """Check a document by itself: signatures, chain, and the ledger's rows that stand in it.

    Raises:
        InvalidRequest: it is no such document.
        EvidenceBroken: names the first thing that does not hold.
    """
    try:
        document = msgspec.json.decode(content, type=Exported)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"this is no exported evidence ({error}); `flyball verify MODEL VERSION --out FILE` "
            "writes it"
        ) from None
    if document.format != FORMAT:
        raise InvalidRequest(f"its format is {document.format!r}; this Flyball reads {FORMAT}")
    bundles = chain(f"{document.model}/{document.version}", document.bundles, check)
    rows = _rows(document.ledger)
    return Holds(
        model=document.model,
        version=document.version,
        moves=tuple(
            Proven(bundle=bundle, digest=one.digest, key=one.key, row=_row(bundle, rows))
            for bundle, one in zip(bundles, document.bundles, strict=True)
        ),
        checked=CHECKED,
        notes=("the records and files of the installation were not looked at",),
    )


def _rows(rows: Sequence[LedgerRow]) -> dict[str, LedgerRow]:
    """The rows by the digest of their entry, each as it was chained."""
    for row in rows:
        if chained(row.entry, seq=row.seq, previous=row.previous).digest != row.digest:
            raise EvidenceBroken(f"row {row.seq} of the ledger in the file was changed")
    return {digest(row.entry): row for row in rows}


def _row(bundle: Bundle, rows: Mapping[str, LedgerRow]) -> int:
    row = rows.get(bundle.move.entry)
    if row is None:
        raise EvidenceBroken(
            f"bundle {bundle.number} of {bundle.model}/{bundle.version} is of a row of the ledger "
            "that is not in the file, or was changed there"
        )
    return row.seq
