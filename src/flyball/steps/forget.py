"""Forget: a person goes from the event store and from the next version of the dataset.

In this order: the wish is recorded, so that ingests leave the person out from now on; the events
go, and the lists that were shown to them; the dataset's next version is made without them. Each
part may be repeated, and so may all: after a crash the same call ends what was begun. The ledger
names the pseudonym, never the person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from flyball.domain.data import EMPTY, DatasetVersion, Forgotten
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.privacy import Pseudonyms
from flyball.errors import InvalidRequest, NotFound, StaleWrite
from flyball.ports import Change, Events, ServedLists
from flyball.steps.erase import Erased, Eraser

ACTION = "forget"
_ATTEMPTS = 20
_TIME = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Oblivion:
    """What became of a wish to be forgotten.

    Attributes:
        forgotten: the record of it.
        events: how many events were removed.
        lists: how many lists that were shown to them.
        erased: what was removed from the dataset.
        versions: earlier dataset versions that hold the person's rows.
        learned: model versions that were trained with one of these.
    """

    forgotten: Forgotten
    events: int
    lists: int
    erased: Erased
    versions: tuple[DatasetVersion, ...]
    learned: tuple[ModelVersion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """What forgetting people in one model's data needs.

    Attributes:
        eraser: removes rows from the dataset.
        pseudonyms: as the data was stored with.
        events: live traffic.
        served: lists that were shown.
    """

    eraser: Eraser
    pseudonyms: Pseudonyms
    events: Events
    served: ServedLists

    def __call__(self, user: str, *, reason: str = "") -> Oblivion:
        """Forget a person, known or not; a repetition removes what has come since.

        Args:
            user: their id, as they are known outside. It is not stored anywhere.
            reason: for the ledger; it must not name them.

        Raises:
            InvalidRequest: no id, a reason that holds it, or a model that knows nobody.
            StaleWrite: others changed the dataset first, again and again.
            StorageUnavailable: the same call goes on from where this one ended.
        """
        self._require_sensible(user, reason)
        person = self.pseudonyms.of(user)
        forgotten = self._recorded(person, reason)
        events = self.events.forget(self.eraser.model, person)
        lists = self.served.forget(self.eraser.model, person)
        erased = self.eraser(person, also=f", {events} events, {lists} lists")
        versions = self._versions(person)
        return Oblivion(
            forgotten=forgotten,
            events=events,
            lists=lists,
            erased=erased,
            versions=versions,
            learned=self._learned({version.version for version in versions}),
        )

    def _require_sensible(self, user: str, reason: str) -> None:
        model = self.eraser.model
        if not user.strip():
            raise InvalidRequest("whom to forget? give the person's id, as your data has it")
        if not any(schema.personal for schema in self.eraser.schemas):
            raise InvalidRequest(
                f"the data of {model} knows nobody: no column of its schema is personal; "
                "mark the columns that name a person in the schema"
            )
        if re.search(rf"(?<!\w){re.escape(user)}(?!\w)", reason):
            raise InvalidRequest(
                "the reason names the person, and the ledger is never changed: "
                "say it without their id"
            )

    def _recorded(self, person: str, reason: str) -> Forgotten:
        records, model = self.eraser.records, self.eraser.model
        for _ in range(_ATTEMPTS):
            now = self.eraser.clock.now()
            wish = Forgotten(model=model, pseudonym=person, at=now)
            entry = Entry(
                at=now,
                actor=self.eraser.actor,
                action=ACTION,
                subject=wish.id,
                model=model,
                reason=reason or "a person asked to be forgotten",
            )
            try:
                records.commit([Change(value=wish, replacing=self._before(wish.id))], [entry])
            except StaleWrite:
                continue  # the same person is being forgotten by somebody else
            return wish
        raise StaleWrite(f"{person} is being forgotten by others; run the same command again")

    def _before(self, id: str) -> Forgotten | None:
        try:
            return self.eraser.records.get(Forgotten, id)
        except NotFound:
            return None

    def _versions(self, person: str) -> tuple[DatasetVersion, ...]:
        found = self.eraser.records.find(DatasetVersion, model=self.eraser.model)
        real = [version for version in found if version.version != EMPTY]
        return tuple(self.eraser.holding(person, real))

    def _learned(self, versions: set[str]) -> tuple[ModelVersion, ...]:
        found = self.eraser.records.find(ModelVersion, model=self.eraser.model)
        return tuple(version for version in found if version.recipe.data_version in versions)


def kept(forgotten: Mapping[str, datetime], personal: Sequence[str], dated: str | None) -> pl.Expr:
    """Where a row belongs to nobody who asked to be forgotten, or is later than their wish.

    Args:
        forgotten: since when (UTC), by pseudonym.
        personal: the row's columns with pseudonyms.
        dated: its column with the time; None where it has none. A row without a time goes.
    """
    people = pl.Series(list(forgotten), dtype=pl.String)
    times = pl.Series(list(forgotten.values()), dtype=_TIME)

    def stays(column: str) -> pl.Expr:
        since = pl.col(column).replace_strict(people, times, default=None, return_dtype=_TIME)
        later = pl.lit(False) if dated is None else (pl.col(dated) > since).fill_null(False)
        return since.is_null() | later

    return pl.all_horizontal(stays(column) for column in personal)
