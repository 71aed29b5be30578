"""A closed loop in records: two versions, a repaired batch, and feedback that became data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flyball.domain.canonical import digest
from flyball.domain.data import EMPTY, DataBatch, DatasetVersion, batch_file
from flyball.domain.deployment import Phase
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.names import Recipe
from flyball.domain.traffic import Answers, Event
from flyball.domain.training import Run
from flyball.domain.validation import Decision
from flyball.ports import Change, Record
from flyball.testing import builders as a
from flyball.testing.builders import NOON
from flyball.testing.fakes import MemoryRecords

FIRST, SECOND, THIRD = "11aa" * 8, "22bb" * 8, "33cc" * 8
EVENTS = "events of games, 1 to 3"


def day(number: int) -> object:
    return NOON + timedelta(days=number)


def batch(id: str, **fields: object) -> DataBatch:
    content = digest(id)
    return a.a_batch(batch_id=id, digest=content, file=batch_file(1, "interactions", content),
                     table="interactions", **fields)  # fmt: skip


def dataset(version: str, *batches: str, **fields: object) -> DatasetVersion:
    files = {
        batch_file(n, "interactions", digest(id)): digest(id)[:32]
        for n, id in enumerate(batches, 1)
    }
    return a.a_dataset(version=version, batches=batches, files=files,
                       rows=10 * len(batches), **fields)  # fmt: skip


MONDAY = batch("monday", source="/data/monday.csv", quarantine="cd" * 16, quarantined=1)
MENDED = batch(
    "mended", source="quarantine of monday, repaired: minimum:value=null", repaired_from="monday",
    ingested_at=day(1),
)  # fmt: skip
HEARD = batch("heard", source=EVENTS, events_until=3, ingested_at=day(3))

RECIPE = Recipe(architecture="games@1/ease@1", hyperparameters={"l2": 30.0}, data_version=FIRST)
LATER = Recipe(architecture="games@1/ease@1", hyperparameters={"l2": 30.0}, data_version=THIRD)
OLD: ModelVersion = a.a_version("1.0.0", recipe=RECIPE, run_id="run0000000000001",
                                state=State.PRODUCTION)  # fmt: skip
NEW: ModelVersion = a.a_version("1.0.1", recipe=LATER, run_id="run0000000000002",
                                state=State.STAGING, created_at=day(4))  # fmt: skip
RUNS: tuple[Run, ...] = (
    a.a_run(run_id=OLD.run_id, data_version=FIRST, version=OLD.name),
    a.a_run(run_id=NEW.run_id, data_version=THIRD, version=NEW.name, started_at=day(4)),
)
REPORTS = (
    a.a_report(version=OLD.name, data_version=FIRST, report_id="report0000000001"),
    a.a_report(version=NEW.name, data_version=THIRD, report_id="report0000000002",
               champion=OLD.name, created_at=day(5), decision=Decision.UNDECIDED),
)  # fmt: skip
SERVED = a.a_deployment(version=OLD.name, phase=Phase.BAKING, started_at=day(2))
DATASETS = (
    a.a_dataset(version=EMPTY, batches=(), files={}, rows=0, head=THIRD),
    dataset(FIRST, "monday"),
    dataset(SECOND, "monday", "mended", created_at=day(1)),
    dataset(THIRD, "monday", "mended", "heard", created_at=day(3)),
)
BATCHES = (MONDAY, MENDED, HEARD)
ANSWERS = Answers(b"a key of the tests")
ANSWER = ANSWERS.new(OLD.name, 1_772_323_200_000, "0a1b0a1b0a")


def everything() -> list[Record]:
    """All records, in the order in which they were written."""
    return [*BATCHES, *DATASETS, *RUNS, OLD, NEW, *REPORTS, SERVED]


def feedback() -> list[Event]:
    """Three events in the batch "heard" (two of one answer), one that no batch has yet."""
    other = ANSWERS.new(OLD.name, 1_772_323_200_000, "9f9f9f9f9f")
    return [
        a.an_event("e1", recommendation_id=ANSWER),
        a.an_event("e2", recommendation_id=""),
        a.an_event("e3", recommendation_id=ANSWER),
        a.an_event("e4", recommendation_id=other),
    ]


def records(values: Sequence[Record] | None = None, entries: Sequence[Entry] = ()) -> MemoryRecords:
    """These values (default everything), recorded, with these ledger entries."""
    made = MemoryRecords()
    wanted = everything() if values is None else values
    made.commit([Change(value=value) for value in wanted], entries)
    return made


class HeardEvents:
    """The part of ``Events`` that lineage reads: events by number; numbers may be missing."""

    def __init__(self, events: Sequence[Event] = (), numbers: Sequence[int] | None = None) -> None:
        self.rows = list(zip(numbers or range(1, len(events) + 1), events, strict=True))

    def after(self, cursor: int, *, limit: int = 10_000) -> tuple[list[Event], int]:
        page = [row for row in self.rows if row[0] > cursor][:limit]
        return [event for _, event in page], page[-1][0] if page else cursor

    def last(self) -> int:
        return self.rows[-1][0] if self.rows else 0
