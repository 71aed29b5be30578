"""Privacy: people who want to be forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from flyball.data.part import Part

if TYPE_CHECKING:
    from flyball.domain.lifecycle import ModelVersion
    from flyball.steps.forget import Oblivion


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenPerson:
    """What forgetting a person did, and what remains of them.

    Attributes:
        model: in whose data.
        pseudonym: theirs; the id is not kept.
        at: when, UTC. Later rows are taken again.
        events: how many events were removed.
        lists: how many lists that were shown to them.
        rows: how many rows of the dataset.
        quarantined: how many rows of quarantines.
        files: names of the dataset's files that were written anew.
        dataset: the newest dataset version, without them; empty where there is no data.
        learned: full names of the model versions that were trained with their rows.
        remains: where rows of theirs still are, and how they go; one sentence each.
    """

    model: str
    pseudonym: str
    at: datetime
    events: int
    lists: int
    rows: int
    quarantined: int
    files: tuple[str, ...]
    dataset: str
    learned: tuple[str, ...]
    remains: tuple[str, ...]


class Privacy(Part):
    """People in the data."""

    def forget(self, model: str, user: str, *, reason: str = "") -> ForgottenPerson:
        """Remove a person from the event store and from the next dataset version.

        Later ingests leave out their rows that are dated before, or not dated. A repetition is
        harmless, and ends what a crash interrupted.

        Args:
            user: their id as your data has it; only their pseudonym is stored.
            reason: for the ledger; it must not hold the id.

        Raises:
            InvalidRequest: no id, a reason that holds it, or a model whose data knows nobody.
            StorageUnavailable: the same call goes on from where this one ended.
        """
        from flyball.steps.erase import Eraser
        from flyball.steps.forget import Forget

        platform = self.platform
        eraser = Eraser(
            model=self._known(model),
            schemas=platform.schemas(model),
            datasets=platform.datasets,
            records=platform.records,
            clock=platform.clock,
            actor=self.actor,
            scratch=platform.scratch(),
        )
        forget = Forget(
            eraser=eraser,
            pseudonyms=platform.pseudonyms,
            events=platform.events,
            served=platform.served,
        )
        done = forget(user, reason=reason)
        return ForgottenPerson(
            model=model,
            pseudonym=done.forgotten.pseudonym,
            at=done.forgotten.at,
            events=done.events,
            lists=done.lists,
            rows=done.erased.rows,
            quarantined=done.erased.quarantined,
            files=done.erased.files,
            dataset=done.erased.dataset.version if done.erased.dataset else "",
            learned=tuple(version.name for version in done.learned),
            remains=tuple(_remains(done, model, platform.settings.datasets.remote)),
        )


def _remains(done: Oblivion, model: str, remote: str) -> Iterator[str]:
    """Where rows of the person still are."""
    if done.learned:
        names = ", ".join(_number(version) for version in done.learned)
        yield (
            f"{model} {names} learned from their rows, and hold their pseudonym with what they "
            f"had: train and deploy a new version (`flyball run {model}`), then archive these"
        )
    if done.versions:
        names = ", ".join(version.version[:8] for version in done.versions)
        yield (
            f"the earlier dataset versions {names} keep their rows as long as a model version "
            "names them; `flyball data gc` removes what none names"
        )
    if done.versions and remote:
        yield f"what `flyball data push` brought to {remote} before stays there until removed there"
    if done.events:
        yield "running workers let go of them within a second"


def _number(version: ModelVersion) -> str:
    return version.name.partition("-")[0]
