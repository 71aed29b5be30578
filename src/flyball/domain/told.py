"""What is told to the outside world of the loop: a job ran, on these data, and made those.

Plain values, in the words of OpenLineage (jobs, runs, datasets); ``storage.openlineage`` writes
them as its events.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from flyball.domain.schema import Schema

NAMESPACE = "flyball"
"""Of all jobs, and of the datasets that Flyball itself keeps."""

_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:flyball:runs")


def run_uuid(record: str) -> str:
    """The id of the run that a record tells of: the same record, the same id, everywhere."""
    return str(uuid.uuid5(_IDS, record))


class Outcome(StrEnum):
    """What became of a run of a job, so far."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What was counted in one column. What is not known or has no number is None."""

    nulls: int | None = None
    distinct: int | None = None
    count: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A rule or measure that data was held to.

    Attributes:
        rule: its kind, for example ``"not_null"``.
        column: which column it is about; empty for the whole table.
        holds: whether it did.
        severe: whether it stops data; else it only tells.
        detail: in words.
        expected, actual: as text; empty where there is none.
    """

    rule: str
    column: str
    holds: bool
    severe: bool
    detail: str
    expected: str = ""
    actual: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A dataset that a run read or wrote.

    Attributes:
        namespace, name: which one, as OpenLineage names it.
        version: which state of it; empty where it has none.
        uri: where it lies; empty where that says nothing.
        schema: its columns, where they are known.
        columns: those it has, of the schema or without one.
        rows: how many; None where nobody counted.
        metrics: by column.
        assertions: the rules its rows were held to, and how that went.
        made_from: the dataset whose columns of the same names these columns were made from.
        pseudonymised: whether personal columns were made into pseudonyms on the way from there.
        parquet: whether it is stored as Parquet.
    """

    namespace: str
    name: str
    version: str = ""
    uri: str = ""
    schema: Schema | None = None
    columns: tuple[str, ...] = ()
    rows: int | None = None
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    assertions: tuple[Assertion, ...] = ()
    made_from: tuple[str, str] | None = None
    pseudonymised: bool = False
    parquet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One thing that is told: a run of a job began, completed or failed.

    Attributes:
        model: whose loop it belongs to; the loop is the run's parent.
        job: ``"<model>.<verb>"``.
        record: the id of what it tells of, from which the run's id is made.
        outcome: what became of it.
        at: when that was, UTC.
        began: when the run began, UTC; None where nobody recorded that.
        read, wrote: datasets.
        error: why it failed; empty where it did not.
        parameters: what it was told to do.
    """

    model: str
    job: str
    record: str
    outcome: Outcome
    at: datetime
    began: datetime | None = None
    read: tuple[Data, ...] = ()
    wrote: tuple[Data, ...] = ()
    error: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The UUID of the run."""
        return run_uuid(self.record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far the records have been told.

    Attributes:
        ledger: the last row of the ledger that was.
        ended: what was told of runs and reports: a digest by id.
        size: the length in bytes of what was written until then.
    """

    ledger: int = 0
    ended: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
