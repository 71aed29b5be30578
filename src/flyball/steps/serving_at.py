"""Which versions served at a time, with which shares: read from the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from flyball.domain.bundle import SignedBundle
from flyball.domain.deployment import Deployment
from flyball.domain.ledger import LedgerRow
from flyball.errors import EvidenceBroken, NotFound
from flyball.ports import Records
from flyball.steps.reading_bundles import bundle_of

_ENDS = frozenset({"route", "withdraw", "give up"})
"""What ends the sharing of traffic: a switch, or the end of a rollout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingAt:
    """What served.

    Attributes:
        route: the row that put the champion where it was; None where nothing served.
        shared: the row by which a challenger had its share; None where it had none.
        shares: of the users, by version; adds up to 1.
        bundle: digest of the newest signed bundle of the champion then; empty where there is none.
    """

    route: LedgerRow | None = None
    shared: LedgerRow | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    bundle: str = ""


def serving_at(records: Records, model: str, when: datetime) -> ServingAt:
    """What the ledger says of a time.

    Raises:
        StorageUnavailable, LedgerBroken: it cannot be read.
    """
    rows = [row for row in records.ledger(model=model) if row.entry.at <= when]
    routes = [row for row in rows if _routes(row)]
    if not routes:
        return ServingAt()
    champion, shared = routes[-1].entry.after, _shared(rows)
    shares = {champion: 1.0}
    if shared is not None:
        version, share = _share(records, shared)
        if share > 0.0:
            shares = {champion: 1.0 - share, version: share}
    return ServingAt(
        route=routes[-1],
        shared=shared if len(shares) > 1 else None,
        shares=shares,
        bundle=_bundle(records, model, champion, when),
    )


def _shared(rows: Sequence[LedgerRow]) -> LedgerRow | None:
    """The last shift of traffic that nothing has ended since."""
    for row in reversed(rows):
        if row.entry.action == "shift":
            return row
        if row.entry.action in _ENDS:
            return None
    return None


def _share(records: Records, row: LedgerRow) -> tuple[str, float]:
    """Whose share a shift is, and how much: by its deployment, which has it exactly."""
    with suppress(NotFound):
        deployment = records.get(Deployment, row.entry.subject)
        taken = [shift.share for shift in deployment.shifts if shift.at <= row.entry.at]
        if taken:
            return deployment.version, taken[-1]
    return "", 0.0


def _bundle(records: Records, model: str, version: str, when: datetime) -> str:
    found = ""
    for signed in records.find(SignedBundle, model=model):
        if signed.version != version:
            continue
        with suppress(EvidenceBroken):
            if bundle_of(signed).move.at <= when:
                found = signed.digest
    return found


def _routes(row: LedgerRow) -> bool:
    """Whether from this row on another version serves; in a drill that is so for a moment."""
    entry = row.entry
    return entry.action == "route" or (entry.action == "drill" and bool(entry.after))
