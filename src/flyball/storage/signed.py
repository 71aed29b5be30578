"""Records whose every move of a version comes with a signed bundle: the port ``Records``.

A wrapper: the bundle is one more new record of the same commit, so that there is none without its
move, and no move without its bundle. A move is what the ledger calls a transition, of a version
that the commit writes. All other commits go through untouched, and need no key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, cast

from flyball.domain.bundle import (
    TRANSITION,
    Anchor,
    Bundle,
    ChainTip,
    SignedBundle,
    move_of,
    text,
    text_digest,
    tip_of,
)
from flyball.domain.evidence import Evidence
from flyball.domain.facts import Facts
from flyball.domain.ledger import GENESIS, Entry, LedgerRow
from flyball.domain.lifecycle import ModelVersion, State
from flyball.errors import (
    ArtifactCorrupt,
    ConfigurationError,
    LedgerBroken,
    NotFound,
    StaleWrite,
    StorageUnavailable,
)
from flyball.ports import Change, R, Record, Records
from flyball.storage.encoding import decoded, settled

Gather = Callable[["Reading", ModelVersion, Evidence | None, Facts | None], Facts]
"""What is known of a version: the records with the commit's changes in force, the version as it
becomes, the move's evidence, and what the bundle before said."""


class _End(NamedTuple):
    """Where a version's chain ends, the tip that is stored, and what the last bundle says."""

    last: ChainTip | None = None
    stored: ChainTip | None = None
    facts: Facts | None = None


_NOTHING = _End()
_REMEMBERED = 100
"""Ends of chains that this process wrote: to go on from one it need not be read again."""


class Signs(Protocol):
    """Signs texts."""

    def sign(self, body: str) -> tuple[str, str]:
        """The key's id and the signature, hex."""
        ...


class Reading:
    """The records as they will be once a commit is through."""

    def __init__(self, records: Records, changes: Sequence[Change]) -> None:
        self._records = records
        self._changed: Mapping[tuple[type[object], str], Record] = {
            (type(change.value), change.value.id): change.value for change in changes
        }

    def get(self, kind: type[R], id: str) -> R:
        """See ``Records.get``."""
        found = self._changed.get((kind, id))
        return self._records.get(kind, id) if found is None else settled(cast(R, found))

    def find(self, kind: type[R], *, model: str) -> list[R]:
        """See ``Records.find``; the commit's own come last."""
        own = self.written(kind)
        ids = {one.id for one in own}
        stored = self._records.find(kind, model=model)
        return [*(one for one in stored if one.id not in ids), *own]

    def written(self, kind: type[R]) -> list[R]:
        """Those of a kind that the commit writes."""
        return [settled(cast(R, v)) for (k, _), v in self._changed.items() if k is kind]


class SignedRecords:
    """Records with evidence. Thread-safe if what it wraps is.

    Args:
        records: where all is kept, and the bundles with it.
        signer: asked at the first move, and not before.
        gather: what a bundle says of its version.
    """

    def __init__(self, records: Records, signer: Signs, gather: Gather) -> None:
        self._records, self._signer, self._gather = records, signer, gather
        self._written: dict[str, _End] = {}

    def get(self, kind: type[R], id: str) -> R:
        """See ``Records.get``."""
        return self._records.get(kind, id)

    def find(self, kind: type[R], *, model: str | None = None, limit: int | None = None) -> list[R]:
        """See ``Records.find``."""
        return self._records.find(kind, model=model, limit=limit)

    def commit(self, changes: Sequence[Change], entries: Sequence[Entry] = ()) -> None:
        """See ``Records.commit``. Each move of a version adds its bundle.

        A move that takes a version out of service goes through even if the key cannot be used: its
        bundle is stored unsigned, which ``flyball verify`` tells.

        Raises:
            ConfigurationError: the key cannot be used; nothing was written.
        """
        moving = [change for change in changes if _moves(change, entries)]
        if not moving:
            self._records.commit(changes, entries)
            return
        ends = {change.value.id: self._expected(change) for change in moving}
        while True:
            bundles, after = self._bundles(moving, ends, changes, entries)
            try:
                self._records.commit([*changes, *bundles], entries)
            except StaleWrite:
                moving = [change for change in moving if not self._is_written(change)]
                now = {change.value.id: self._end(change.value) for change in moving}
                if _tips(now) == _tips(ends):
                    raise
                ends = now  # another process added to a chain first, or this is a repetition
            else:
                self._remember(after)
                return

    def discard(self, kind: type[R], id: str) -> None:
        """See ``Records.discard``."""
        self._records.discard(kind, id)

    def ledger(self, *, model: str | None = None, limit: int | None = None) -> list[LedgerRow]:
        """See ``Records.ledger``."""
        return self._records.ledger(model=model, limit=limit)

    def verify_ledger(self) -> int:
        """See ``Records.verify_ledger``."""
        return self._records.verify_ledger()

    def _expected(self, change: Change) -> _End:
        """Where a chain ends unless somebody else added to it: then the commit is refused."""
        if change.replacing is None:
            return _NOTHING
        return self._written.get(change.value.id) or self._end(change.value)

    def _remember(self, ends: Mapping[str, _End]) -> None:
        if len(self._written) > _REMEMBERED:
            self._written = {}
        self._written |= ends

    def _end(self, version: Record) -> _End:
        try:
            tip = self._records.get(ChainTip, version.id)
            return _End(tip, tip, self._said(tip))
        except NotFound:
            pass
        except ArtifactCorrupt:
            self._records.discard(ChainTip, version.id)  # the bundles say where they end
        with suppress(ArtifactCorrupt):
            known = self._records.find(SignedBundle, model=version.model)
            own = [one for one in known if one.id.rpartition("/")[0] == version.id]
            if own:
                tip = tip_of(max(own, key=lambda one: one.number))
                return _End(tip, None, self._said(tip))
        return _NOTHING

    def _is_written(self, change: Change) -> bool:
        """Whether a new record is there already, with this content: the step is repeated."""
        if change.replacing is not None:
            return False
        with suppress(NotFound):
            return self._records.get(ModelVersion, change.value.id) == settled(change.value)
        return False

    def _bundles(
        self,
        moving: Sequence[Change],
        ends: Mapping[str, _End],
        changes: Sequence[Change],
        entries: Sequence[Entry],
    ) -> tuple[list[Change], dict[str, _End]]:
        """The records to write beside the moves, and where the chains end with them."""
        anchor, reading = self._anchor(), Reading(self._records, changes)
        made: list[Change] = []
        after: dict[str, _End] = {}
        for change in moving:
            version = cast(ModelVersion, change.value)
            last, stored, facts = ends[version.id]
            for entry in map(settled, _moves(change, entries)):
                facts = self._gather(reading, version, entry.evidence, facts)
                signed = self._signed(version, entry, last, anchor, facts)
                made.append(Change(value=signed))
                last = tip_of(signed)
            assert last is not None  # a moving version has an entry
            made.append(Change(value=last, replacing=stored))
            after[version.id] = _End(last, last, facts)
        return made, after

    def _said(self, tip: ChainTip) -> Facts | None:
        """What a chain's last bundle says; None where it does not say it any more."""
        with suppress(NotFound, ArtifactCorrupt):
            stored = self._records.get(SignedBundle, f"{tip.id}/{tip.number}")
            if text_digest(stored.body) == tip.digest:
                return decoded(Bundle, stored.body, what=f"bundle {stored.id}").facts
        return None

    def _anchor(self) -> Anchor:
        with suppress(LedgerBroken):
            for row in self._records.ledger(limit=1):
                return Anchor(seq=row.seq, digest=row.digest)
        return Anchor()

    def _signed(
        self,
        version: ModelVersion,
        entry: Entry,
        before: ChainTip | None,
        anchor: Anchor,
        facts: Facts,
    ) -> SignedBundle:
        bundle = Bundle(
            model=version.model,
            version=version.name,
            number=before.number + 1 if before else 1,
            previous=before.digest if before else GENESIS,
            move=move_of(entry, approver=_approver(entry, facts)),
            ledger=anchor,
            facts=facts,
        )
        body = text(bundle)
        key, signature = self._signature(body, entry)
        return SignedBundle(
            model=bundle.model,
            version=bundle.version,
            number=bundle.number,
            body=body,
            digest=text_digest(body),
            key=key,
            signature=signature,
        )

    def _signature(self, body: str, entry: Entry) -> tuple[str, str]:
        try:
            return self._signer.sign(body)
        except (ConfigurationError, StorageUnavailable) as error:
            if State.ROLLBACK not in (entry.before, entry.after):
                raise
            _log().error("evidence is not signed", version=entry.subject, reason=str(error))
            return "", ""


def _tips(ends: Mapping[str, _End]) -> dict[str, tuple[ChainTip | None, ChainTip | None]]:
    return {id: (end.last, end.stored) for id, end in ends.items()}


def _approver(entry: Entry, facts: Facts) -> str:
    """Who let the version come this far; nobody lets it fall back."""
    rollout = facts.rollout
    if rollout is None or entry.after not in (State.PRODUCTION, State.MONITORING):
        return ""
    return rollout.approved_by or rollout.promoted_by


def _moves(change: Change, entries: Iterable[Entry]) -> list[Entry]:
    """The ledger's transitions of the version that a change writes."""
    if not isinstance(change.value, ModelVersion):
        return []
    return [e for e in entries if e.action == TRANSITION and e.subject == change.value.id]


def _log() -> Any:
    import structlog  # most commands sign nothing

    return structlog.get_logger("flyball.evidence")
