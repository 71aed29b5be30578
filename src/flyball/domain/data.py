"""Batches of data and the dataset versions they add up to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flyball.domain.validation import Verdict
from flyball.errors import ConfigurationError

PACKAGE = "datapackage.json"
"""The file of a dataset that holds its schemas (a Frictionless data package)."""

_FILE = re.compile(r"\d{4,}-([a-z0-9_]+)-[0-9a-f]{12}\.parquet")

DUPLICATE = "duplicate"
"""The rule that a row repeated in its batch breaks. Such a row is left out, and is not bad."""

FORGOTTEN = "forgotten"
"""The rule that a row of a person who asked to be forgotten breaks. It is left out, not bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule found in a batch.

    Attributes:
        rule: the rule's name, for example ``"not_null:user_id"``.
        count: how many rows it concerns.
        dropped: whether those rows were left out of the batch.
        detail: in words, with up to three examples.
    """

    rule: str
    count: int
    dropped: bool
    detail: str


class Severity(StrEnum):
    """How much an anomaly matters."""

    NOTICE = "notice"  # told; the batch goes on
    SEVERE = "severe"  # the batch is refused, unless somebody accepts it as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measure of a batch, judged against the history of earlier batches.

    Attributes:
        measure: for example ``"nulls:value"`` or ``"volume"``.
        verdict: fail is an anomaly; inconclusive where the history is too short to tell.
        severity: of an anomaly.
        observed, expected: the batch's value, and the history's; None where there is none.
        p_value: how likely a clean batch of this size is to look so extreme.
        false_alarm_rate: share of clean batches for which this measure may raise an alarm.
        detail: the evidence in words.
    """

    measure: str
    verdict: Verdict
    severity: Severity
    observed: float | None
    expected: float | None
    p_value: float | None
    false_alarm_rate: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBatch:
    """Rows received together: immutable, content-addressed, with profile and validation result.

    Attributes:
        model: whose data it is.
        batch_id: the caller's id, or the first 12 hex digits of ``digest``.
        digest: SHA-256 (hex) of the canonical Parquet bytes: the same rows in the same order are
            the same batch, whatever file they came in.
        file: where the Parquet lies in the dataset, for example
            ``"0001-interactions-ab12cd34ef56.parquet"``.
        md5: the DVC hash of that file.
        table: which of the application's tables its rows belong to.
        source: where it came from, as given, without passwords.
        rows: rows kept. ``findings`` says what was left out and why.
        profile: counts, nulls, quantiles by column; JSON types.
        sketches: the DVC hash of its whole profile (``stats.profile.Profile`` as JSON).
        measured: its measures, judged against earlier batches of the table.
        quarantine: the DVC hash of the Parquet with the rows left out; empty where there are none.
        quarantined: how many rows that file has.
        repaired_from: the batch id from whose quarantine the rows were repaired; else empty.
        events_until: where they are the model's own events: the cursor after the last of them.
        ingested_at: UTC.
    """

    model: str
    batch_id: str
    digest: str
    file: str
    md5: str
    source: str
    rows: int
    findings: tuple[Finding, ...]
    profile: Mapping[str, Any]
    ingested_at: datetime
    table: str = ""
    sketches: str = ""
    measured: tuple[Measured, ...] = ()
    quarantine: str = ""
    quarantined: int = 0
    repaired_from: str = ""
    events_until: int = 0

    @property
    def anomalies(self) -> tuple[Measured, ...]:
        """The measures that raised an alarm."""
        return tuple(m for m in self.measured if m.verdict is Verdict.FAIL)

    @property
    def id(self) -> str:
        """``"<model>/<batch id>"``."""
        return f"{self.model}/{self.batch_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """An ordered set of batches, named by its DVC hash.

    Attributes:
        model: whose data it is.
        version: the DVC hash of the directory, without ``.dir``: 32 hex digits.
        batches: batch ids in order of arrival.
        files: the DVC hash of each file by its name: the batches' Parquet, and ``PACKAGE``. After
            a person was forgotten they are the authority, not ``DataBatch.md5``.
        rows: in all.
        created_at: UTC.
        head: of the empty version alone, from which each dataset starts: the newest version.
            Whoever makes a version moves it, so that two cannot follow the same one.
    """

    model: str
    version: str
    batches: tuple[str, ...]
    files: Mapping[str, str]
    rows: int
    created_at: datetime
    head: str = ""

    @property
    def id(self) -> str:
        """``"<model>/<dataset version>"``."""
        return f"{self.model}/{self.version}"

    def tables(self) -> dict[str, list[str]]:
        """The DVC hashes of each table's files, in order of arrival, by table."""
        found: dict[str, list[str]] = {}
        for name, md5 in self.files.items():
            if name != PACKAGE:
                found.setdefault(table_of(name), []).append(md5)
        return found


def batch_file(number: int, table: str, digest: str) -> str:
    """The name of a batch's file in its dataset."""
    return f"{number:04d}-{table}-{digest[:12]}.parquet"


def table_of(file: str) -> str:
    """The table whose rows a batch's file holds.

    Raises:
        ConfigurationError: the name is not one that ``batch_file`` makes.
    """
    found = _FILE.fullmatch(file)
    if found is None:
        raise ConfigurationError(
            f"{file} is not named as a batch's file is (0001-<table>-<digest>.parquet); data "
            "stored by Flyball before version 0.2 must be ingested again, into a new home"
        )
    return found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """A person who asked to be forgotten: their pseudonym alone is kept, to keep them out.

    Attributes:
        model: in whose data.
        pseudonym: theirs.
        at: when, UTC. Rows that are later than this are kept again.
    """

    model: str
    pseudonym: str
    at: datetime

    @property
    def id(self) -> str:
        """``"<model>/<pseudonym>"``."""
        return f"{self.model}/{self.pseudonym}"


EMPTY = "d751713988987e9331980363e24189ce"
"""The DVC hash of a directory without files: the version that every dataset starts from."""
