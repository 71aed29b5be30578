"""Garbage: objects of the datasets that nothing names any more. First decided, then removed.

An object stays as long as something refers to it: the newest version of a model's dataset, or one
that a model version or a run names; of these versions the listing, the files, and the profiles and
quarantines of their batches. What was kept a short while ago stays too: an ingest keeps files
first and records them after.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from flyball.domain.data import EMPTY, DataBatch, DatasetVersion
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.training import Run
from flyball.ports import Clock, Datasets, Records, Stored, Transferred

YOUNG = timedelta(hours=1)
"""How long an object stays that nothing names: an ingest may be about to name it."""

ACTION = "collect"
"""What the ledger calls it."""


class Why(StrEnum):
    """What keeps an object."""

    NEWEST = "newest version"  # the newest dataset version of a model has it
    MODEL_VERSION = "model version"  # one learned from a dataset version that has it
    RUN = "run"  # one reads a dataset version that has it
    PROFILE = "profile"  # of a batch of such a dataset version
    QUARANTINE = "quarantine"  # likewise
    YOUNG = "young"  # it was kept less than ``YOUNG`` ago


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Objects that stay for one reason; one that has several counts for each."""

    objects: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a collection removes, and why the rest stays.

    Attributes:
        garbage: the objects that nothing names, with what they take; in order of their names.
        kept: by reason.
        kept_before: only what was kept before is garbage, UTC.
    """

    garbage: Mapping[str, Stored]
    kept: Mapping[Why, Kept]
    kept_before: datetime

    @property
    def size(self) -> int:
        """Bytes that the garbage takes."""
        return sum(stored.size for stored in self.garbage.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A collection: what was decided, and what went; nothing on a dry run."""

    decided: Decided
    removed: Transferred
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The records that name objects, of all models.

    Attributes:
        versions: every dataset version; the empty ones say which is the newest.
        batches: every batch.
        learned: of each model version, (model, dataset version).
        read: of each run, likewise.
    """

    versions: Sequence[DatasetVersion] = ()
    batches: Sequence[DataBatch] = ()
    learned: Collection[tuple[str, str]] = field(default_factory=frozenset)
    read: Collection[tuple[str, str]] = field(default_factory=frozenset)

    @classmethod
    def of(cls, records: Records) -> Named:
        """All that is recorded now."""
        return cls(
            versions=records.find(DatasetVersion),
            batches=records.find(DataBatch),
            learned={(v.model, v.recipe.data_version) for v in records.find(ModelVersion)},
            read={(run.model, run.data_version) for run in records.find(Run)},
        )

    def reasons(self) -> Mapping[str, set[Why]]:
        """Why each object stays, by its hash; what is in no way named is absent."""
        found: defaultdict[str, set[Why]] = defaultdict(set)
        batches = {batch.id: batch for batch in self.batches}
        newest = {(v.model, v.head) for v in self.versions if v.version == EMPTY}
        for version in self.versions:
            key = (version.model, version.version)
            whys = {
                why
                for why, named in (
                    (Why.NEWEST, newest),
                    (Why.MODEL_VERSION, self.learned),
                    (Why.RUN, self.read),
                )
                if key in named
            }
            if whys:
                for oid in (f"{version.version}.dir", *version.files.values()):
                    found[oid] |= whys
                for oid, why in _beside(batches, version):
                    found[oid].add(why)
        return found


def decided(stored: Mapping[str, Stored], named: Named, *, kept_before: datetime) -> Decided:
    """Which objects nothing names. No effects.

    Args:
        stored: what is there.
        named: what is recorded.
        kept_before: what was kept at that time or later stays.
    """
    reasons = named.reasons()
    objects: Counter[Why] = Counter()
    sizes: Counter[Why] = Counter()
    garbage = {}
    for oid, one in sorted(stored.items()):
        whys = reasons.get(oid) or ({Why.YOUNG} if one.kept_at >= kept_before else set())
        if not whys:
            garbage[oid] = one
        for why in whys:
            objects[why] += 1
            sizes[why] += one.size
    kept = {why: Kept(objects=objects[why], size=sizes[why]) for why in Why if objects[why]}
    return Decided(garbage=garbage, kept=kept, kept_before=kept_before)


def collect(
    records: Records, datasets: Datasets, clock: Clock, *, actor: str, dry_run: bool = False
) -> Collected:
    """Remove what nothing names, and record that; on a dry run only say so.

    What is stored is listed before the records are read: an object that is recorded in between is
    seen as named. One that is kept again in the meantime is no longer old when it would go.

    Raises:
        StorageUnavailable: it cannot be removed; what went before is gone, and the same call goes
            on from there.
    """
    kept_before = clock.now() - YOUNG
    plan = decided(datasets.stored(), Named.of(records), kept_before=kept_before)
    if dry_run or not plan.garbage:
        return Collected(decided=plan, removed=Transferred(objects=0, size=0), dry_run=dry_run)
    records.commit([], [_entry(plan, clock.now(), actor)])
    removed = datasets.remove(_listings_first(plan.garbage), kept_before=kept_before)
    return Collected(decided=plan, removed=removed, dry_run=False)


def _beside(batches: Mapping[str, DataBatch], version: DatasetVersion) -> Iterator[tuple[str, Why]]:
    """What lies beside the files of a version's batches."""
    for batch_id in version.batches:
        batch = batches.get(f"{version.model}/{batch_id}")
        if batch is not None and batch.sketches:
            yield batch.sketches, Why.PROFILE
        if batch is not None and batch.quarantine:
            yield batch.quarantine, Why.QUARANTINE


def _listings_first(oids: Iterable[str]) -> list[str]:
    """So that a listing never names files that are gone already."""
    return sorted(oids, key=lambda oid: not oid.endswith(".dir"))


def _entry(plan: Decided, at: datetime, actor: str) -> Entry:
    return Entry(
        at=at,
        actor=actor,
        action=ACTION,
        subject="datasets",
        model="",
        reason=f"{len(plan.garbage)} objects of {plan.size} bytes that nothing named",
    )
