"""The history of a dataset, told from the records. No effects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flyball.domain.data import EMPTY, PACKAGE, DataBatch, DatasetVersion
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.text import many


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A dataset version, and how it came to be.

    Attributes:
        version: its DVC hash.
        at: when it was made, UTC.
        batches: how many it has.
        rows: in all.
        changed: what is different from the version before, a phrase each.
        action: what the ledger calls what made it.
        by: who did it, by the ledger; empty where it does not say.
        reason: in the ledger's words.
        learned: names of the model versions that were trained on it.
        newest: whether it is the one that the next batch is added to.
        here: whether its list of files lies on this machine.
    """

    version: str
    at: datetime
    batches: int
    rows: int
    changed: tuple[str, ...]
    action: str
    by: str
    reason: str
    learned: tuple[str, ...]
    newest: bool
    here: bool


def logged(
    versions: Sequence[DatasetVersion],
    *,
    batches: Iterable[DataBatch],
    ledger: Iterable[LedgerRow],
    learned: Iterable[ModelVersion],
    stored: Collection[str],
) -> tuple[Logged, ...]:
    """All versions of one model's dataset, the newest first.

    Args:
        versions: of the model, the first written first, with the empty one.
        batches, ledger, learned: of the model.
        stored: hashes of the objects that are here.
    """
    known = {version.version: version for version in versions}
    head = next((version.head for version in versions if version.version == EMPTY), "")
    rows = {batch.batch_id: batch.rows for batch in batches}  # as they are now
    made = {row.entry.after: row.entry for row in ledger if row.entry.after in known}
    trained: dict[str, list[str]] = {}
    for model_version in learned:
        trained.setdefault(model_version.recipe.data_version, []).append(model_version.name)
    found, before = [], None
    for version in versions:
        if version.version == EMPTY:
            continue
        entry = made.get(version.version)
        previous = known.get(entry.before) if entry and entry.before else before
        found.append(
            Logged(
                version=version.version,
                at=version.created_at,
                batches=len(version.batches),
                rows=version.rows,
                changed=tuple(_changes(previous, version, rows)),
                action=entry.action if entry else "",
                by=entry.actor if entry else "",
                reason=entry.reason if entry else "",
                learned=tuple(trained.get(version.version, ())),
                newest=version.version == head,
                here=f"{version.version}.dir" in stored,
            )
        )
        before = version
    return tuple(reversed(found))


def _changes(
    before: DatasetVersion | None, after: DatasetVersion, rows: Mapping[str, int]
) -> Iterable[str]:
    """What is different: batches, rewritten files, schemas."""
    old = before.files if before else {}
    there = before.batches if before else ()
    more = after.rows - (before.rows if before else 0)
    yield from _batches("added", [b for b in after.batches if b not in there], more, rows)
    yield from _batches("removed", [b for b in there if b not in after.batches], -more, rows)
    rewritten = [n for n, md5 in after.files.items() if n != PACKAGE and old.get(n, md5) != md5]
    if before is not None and rewritten:
        gone = before.rows - after.rows
        yield f"{many(gone, 'row')} removed from {many(len(rewritten), 'file')}"
    if before is not None and old.get(PACKAGE) != after.files.get(PACKAGE):
        yield "schema changed"


def _batches(
    what: str, batches: Sequence[str], moved: int, rows: Mapping[str, int]
) -> Iterable[str]:
    """Batches that came or went, with their rows where these are known.

    A batch has fewer rows once a person was forgotten; a version has what it had.

    Args:
        moved: by how many rows the versions differ.
        rows: how many each batch has now.
    """
    if len(batches) == 1:
        rows = {batches[0]: moved}
    elif sum(rows.get(batch_id, 0) for batch_id in batches) != moved:
        rows = {}
    for batch_id in batches:
        count = f" ({many(rows[batch_id], 'row')})" if batch_id in rows else ""
        yield f"batch {batch_id} {what}{count}"
