"""Verify: a version's signed evidence, against itself and against the records as they are now.

From the inside to the outside: each bundle's text and signature, their chain, the ledger, how the
version was made, its files, its report, its rollouts. The first thing that does not hold is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from flyball.domain.bundle import FORMAT, Bundle, ChainTip, SignedBundle, moves, tip_of
from flyball.domain.canonical import digest
from flyball.domain.ledger import GENESIS, LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.errors import ArtifactCorrupt, EvidenceBroken, NotFound
from flyball.ports import Blobs, Records
from flyball.steps.reading_bundles import bundle_of
from flyball.steps.verifying_facts import check_facts

Check = Callable[[SignedBundle], str]
"""Why a bundle's digest or signature does not hold; empty where both do."""

CHECKED = (
    "signatures and chain",
    "state of the version",
    "ledger",
    "run and data version",
    "artifact and its files",
    "report and its files",
    "rollouts",
)
"""What ``verify`` compares, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A move whose bundle holds.

    Attributes:
        bundle: what was signed.
        digest, key: of the bundle, and of the public key.
        row: the ledger's; None where the ledger was not at hand.
    """

    bundle: Bundle
    digest: str
    key: str
    row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """The evidence of a version holds.

    Attributes:
        moves: all of them, the first made first.
        checked: what was compared, in words.
        notes: what a reader should know although nothing is wrong.
    """

    model: str
    version: str
    moves: tuple[Proven, ...]
    checked: tuple[str, ...]
    notes: tuple[str, ...] = ()


def verify(
    version: ModelVersion, *, records: Records, blobs: Blobs, check: Check
) -> tuple[Holds, list[SignedBundle]]:
    """Check everything there is on a version; returns its bundles too.

    Raises:
        EvidenceBroken: names the first thing that does not hold.
        LedgerBroken: names the first row that was changed, removed or reordered.
    """
    while True:
        before = _tip(version, records)
        try:
            return _verified(records.get(ModelVersion, version.id), records, blobs, check)
        except ArtifactCorrupt as error:
            raise EvidenceBroken(f"the evidence of {version.id} does not hold: {error}") from None
        except EvidenceBroken:
            if _tip(version, records) == before:
                raise  # else it moved while it was looked at


def _tip(version: ModelVersion, records: Records) -> ChainTip | None:
    with suppress(NotFound, ArtifactCorrupt):
        return records.get(ChainTip, version.id)
    return None


def _verified(
    version: ModelVersion, records: Records, blobs: Blobs, check: Check
) -> tuple[Holds, list[SignedBundle]]:
    everything = records.find(SignedBundle)
    signed = [s for s in everything if (s.model, s.version) == (version.model, version.name)]
    signed.sort(key=lambda one: one.number)
    bundles = chain(version.id, signed, check)
    _ends(version, signed, bundles, records)
    records.verify_ledger()
    rows = records.ledger()
    _anchored(everything, rows, check)
    seqs, notes = _entered(version, bundles, rows)
    check_facts(version, bundles, records, blobs)
    notes += _unread(bundles)
    proven = tuple(
        Proven(bundle=bundle, digest=one.digest, key=one.key, row=seq)
        for bundle, one, seq in zip(bundles, signed, seqs, strict=True)
    )
    held = Holds(
        model=version.model,
        version=version.name,
        moves=proven,
        checked=CHECKED,
        notes=tuple(notes),
    )
    return held, signed


def chain(id: str, signed: Sequence[SignedBundle], check: Check) -> list[Bundle]:
    """The bundles of one version, each checked by itself and against the one before it.

    Args:
        id: ``"<model>/<version>"``.
        signed: by their numbers.

    Raises:
        EvidenceBroken: one is missing, changed, wrongly signed or of another version.
    """
    if not signed:
        raise EvidenceBroken(
            f"{id} has no signed evidence: it was made before evidence was signed, or it was "
            "removed; compare with a backup of the database"
        )
    bundles: list[Bundle] = []
    for number, one in enumerate(signed, 1):
        what = f"bundle {number} of {id}"
        if one.number != number:
            raise EvidenceBroken(f"{what} is missing: bundle {one.number} stands in its place")
        if why := check(one):
            raise EvidenceBroken(f"{what} does not hold: {why}")
        bundle = bundle_of(one)
        said = (f"{bundle.model}/{bundle.version}", bundle.number, bundle.format)
        if said != (id, number, FORMAT):
            raise EvidenceBroken(f"{what} is another one: it says {said[0]}, number {said[1]}")
        before = signed[number - 2].digest if number > 1 else GENESIS
        if bundle.previous != before:
            raise EvidenceBroken(f"{what} does not follow the one before it: one was exchanged")
        if bundles and bundle.move.source != bundles[-1].move.target:
            raise EvidenceBroken(
                f"{what} begins in {bundle.move.source}, and the one before it ends in "
                f"{bundles[-1].move.target}: a move has no bundle"
            )
        bundles.append(bundle)
    return bundles


def _ends(
    version: ModelVersion,
    signed: Sequence[SignedBundle],
    bundles: Sequence[Bundle],
    records: Records,
) -> None:
    """The chain ends where the records say, in the version's state."""
    last = bundles[-1]
    try:
        tip = records.get(ChainTip, version.id)
    except NotFound:
        raise EvidenceBroken(f"the record of where {version.id}'s bundles end is gone") from None
    if tip != tip_of(signed[-1]):
        raise EvidenceBroken(
            f"{version.id} has {len(signed)} bundles and {tip.number} were recorded: bundles were "
            "removed or added at the end"
        )
    if last.move.target != version.state:
        raise EvidenceBroken(
            f"{version.id} is in {version.state}, and its evidence ends in {last.move.target}: its "
            "record was changed without a move"
        )


def _anchored(everything: Sequence[SignedBundle], rows: Sequence[LedgerRow], check: Check) -> None:
    """The ledger still has every row that a signed bundle of any version names."""
    for one in everything:
        if check(one):
            continue  # told where its own version is verified
        named = bundle_of(one).ledger
        if not named.seq:
            continue
        row = rows[named.seq - 1] if named.seq <= len(rows) else None
        if row is None or (row.seq, row.digest) != (named.seq, named.digest):
            raise EvidenceBroken(
                f"row {named.seq} of the ledger is not the one that bundle {one.id} was signed "
                "after: the ledger was written anew"
            )


def _entered(
    version: ModelVersion, bundles: Sequence[Bundle], rows: Sequence[LedgerRow]
) -> tuple[list[int], list[str]]:
    """The ledger's rows of the moves, one each and in order; and what came before the first."""
    entered = moves(rows, version.id)
    older = entered[: max(0, len(entered) - len(bundles))]
    own = entered[len(older) :]
    for bundle, row in zip(bundles, own, strict=False):
        if digest(row.entry) != bundle.move.entry:
            raise EvidenceBroken(
                f"bundle {bundle.number} of {version.id} is not of row {row.seq} of the ledger: "
                "the row was changed, or one was added or removed"
            )
    if len(own) < len(bundles):
        raise EvidenceBroken(
            f"the ledger has {len(own)} moves of {version.id} and {len(bundles)} were signed: rows "
            "were removed"
        )
    begins = bundles[0].move.source
    if bool(older) != bool(begins):
        raise EvidenceBroken(
            f"{version.id} has {len(older)} moves in the ledger before its first bundle, which "
            f"begins {f'in {begins}' if begins else 'with its registration'}"
        )
    notes = [f"its first {len(older)} moves were made before evidence was signed"] if older else []
    return [row.seq for row in own], notes


def _unread(bundles: Sequence[Bundle]) -> list[str]:
    notes: list[str] = []
    for bundle in bundles:
        missing = bundle.facts.missing
        notes += [f"bundle {bundle.number} could not read: {what}" for what in missing]
    return notes
