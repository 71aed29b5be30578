"""Versions of a dataset: their history, their differences, and where their bytes lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.data.part import Part
from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.errors import NotFound
from flyball.ports import Transferred

if TYPE_CHECKING:
    from flyball.steps.collect import Collected
    from flyball.steps.difference import Difference
    from flyball.steps.version_log import Logged

_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOut:
    """A version that was laid out for people and ``dvc``.

    Attributes:
        model: whose data.
        version: its DVC hash.
        newest: whether it is the newest one.
        files: how many it has.
        folder: where they lie.
    """

    model: str
    version: str
    newest: bool
    files: int
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A version whose objects were copied to the remote, or from it.

    Attributes:
        model: whose data.
        version: its DVC hash.
        remote: where the remote is.
        objects: how many were not there yet.
        size: their bytes.
        missing: profiles and quarantines that the remote does not have; the version needs none.
    """

    model: str
    version: str
    remote: str
    objects: int
    size: int
    missing: int = 0


class Versions(Part):
    """Verbs about versions of a dataset."""

    def log(self, model: str) -> tuple[Logged, ...]:
        """All versions of a model's dataset, the newest first; none where it has no data yet."""
        from flyball.steps.version_log import logged

        records = self.platform.records
        return logged(
            records.find(DatasetVersion, model=self._known(model)),
            batches=records.find(DataBatch, model=model),
            ledger=records.ledger(model=model),
            learned=records.find(ModelVersion, model=model),
            stored=self.platform.datasets.stored(),
        )

    def checkout(self, model: str, version: str | None = None) -> CheckedOut:
        """Lay out a version in ``data/<model>`` of the home. The next batch goes to the newest.

        Args:
            version: its hash, or the beginning of it; the newest for None.

        Raises:
            NotFound: no such version, or its files are no longer here.
            ArtifactCorrupt: a file of it is nowhere sound.
        """
        named, files = self._files(model, version)
        try:
            self.platform.datasets.lay_out(model, files)
        except NotFound as error:
            raise NotFound(
                f"the dataset version {named} of {model} is recorded, but not all of its files "
                f"are here ({error}): `flyball data gc` collects versions that no model version "
                f"names; if it was pushed, `flyball data pull {model} {named}` brings it back"
            ) from error
        newest: DatasetVersion | None = None
        with suppress(NotFound):  # a version that was pulled into a home without data of its own
            newest = self._newest(model)
        return CheckedOut(
            model=model,
            version=named,
            newest=newest is not None and named == newest.version,
            files=len(files),
            folder=self.platform.home / "data" / model,
        )

    def push(self, model: str, version: str | None = None) -> Moved:
        """Copy a version to the remote: its files, its listing, its batches' profiles, quarantines.

        Raises:
            NotFound, ArtifactCorrupt: one is not sound here.
            StorageUnavailable: the remote failed, also after further attempts.
        """
        found = self._version(model, version)
        needed = [f"{found.version}.dir", *found.files.values(), *self._beside(found)]
        return self._moved(model, found.version, self.platform.datasets.push(needed))

    def pull(self, model: str, version: str | None = None) -> Moved:
        """Bring what is missing of a version from the remote.

        Args:
            version: as for ``checkout``; also the whole hash of one that is not recorded here.

        Raises:
            NotFound: no such version, or the remote does not have it.
            ArtifactCorrupt: the remote's bytes are damaged; nothing of them was stored.
            StorageUnavailable: the remote failed, also after further attempts.
        """
        datasets = self.platform.datasets
        named = self._named(model, version)
        first = datasets.pull([f"{named}.dir"])
        then = datasets.pull(datasets.listing(named).values())
        extra, missing = Transferred(objects=0, size=0), 0
        with suppress(NotFound):
            for oid in self._beside(self._version(model, named)):
                try:
                    extra = _both(extra, datasets.pull([oid]))
                except NotFound:
                    missing += 1
        return self._moved(model, named, _both(_both(first, then), extra), missing)

    def collect(self, *, dry_run: bool = False) -> Collected:
        """Remove the objects of all datasets that nothing names any more; or only list them.

        Raises:
            StorageUnavailable: they cannot be removed.
        """
        from flyball.steps.collect import collect

        return collect(
            self.platform.records,
            self.platform.datasets,
            self.platform.clock,
            actor=self.actor,
            dry_run=dry_run,
        )

    def diff(self, model: str, before: str, after: str | None = None) -> Difference:
        """What is different between two versions: rows, people, items, distributions.

        Args:
            before, after: hashes, or the beginnings of them; ``after`` the newest for None.

        Raises:
            NotFound, ArtifactCorrupt: a version, or a file of one, is not there or not sound.
        """
        from flyball.steps.difference import difference

        return difference(
            self._version(model, before),
            self._version(model, after),
            records=self.platform.records,
            datasets=self.platform.datasets,
            clock=self.platform.clock,
            false_alarms=self.platform.model(model).gates.false_alarms,
            scratch=self.platform.scratch(),
        )

    def _named(self, model: str, version: str | None) -> str:
        """The whole hash of a version, also of one that is not recorded here."""
        try:
            return self._version(model, version).version
        except NotFound:
            if version is None or not _HASH.fullmatch(version):
                raise
            return version

    def _files(self, model: str, version: str | None) -> tuple[str, Mapping[str, str]]:
        """A version and its files, by its record or else by its listing."""
        try:
            found = self._version(model, version)
        except NotFound:
            if version is None or not _HASH.fullmatch(version):
                raise
            return version, self.platform.datasets.listing(version)
        return found.version, found.files

    def _beside(self, version: DatasetVersion) -> list[str]:
        """The profiles and quarantines of a version's batches."""
        batches = (self._batch(version.model, batch_id) for batch_id in version.batches)
        return [oid for batch in batches for oid in (batch.sketches, batch.quarantine) if oid]

    def _moved(self, model: str, version: str, what: Transferred, missing: int = 0) -> Moved:
        remote = self.platform.settings.datasets.remote or str(self.platform.home / "remote")
        return Moved(
            model=model,
            version=version,
            remote=remote,
            objects=what.objects,
            size=what.size,
            missing=missing,
        )


def _both(one: Transferred, other: Transferred) -> Transferred:
    return Transferred(objects=one.objects + other.objects, size=one.size + other.size)
