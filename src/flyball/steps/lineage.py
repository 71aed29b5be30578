"""Trace: from any record, or one answer, to everything it came from and everything it led to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.deployment import Deployment
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.lineage import Direction, Kind, Traced, traced
from flyball.domain.lineage_graph import Answer, Feedback, Recorded, graph_of
from flyball.domain.lineage_ids import found
from flyball.domain.traffic import Event, claimed_version
from flyball.domain.training import Run
from flyball.domain.validation import ValidationReport
from flyball.ports import Events, Records

NEWEST_EVENTS = 100_000
"""How far back answers are counted: reading every event of years would take minutes."""

_PAGE = 10_000


def trace(
    id: str,
    *,
    records: Records,
    events: Events,
    direction: Direction = Direction.BOTH,
    newest_events: int = NEWEST_EVENTS,
) -> Traced:
    """The lineage of a batch, dataset version, run, version, report, deployment or answer.

    Args:
        id: see ``domain.lineage_ids.found``.
        newest_events: only among so many events are those of each version counted.

    Raises:
        NotFound: nothing is called so, or several things are.
        StorageUnavailable: the records cannot be read.
    """
    recorded = _read(records)
    focus = found(recorded, id)
    kind, _, named = focus.partition(":")
    asked = named if kind == Kind.PREDICTION else ""
    counts = _counted(recorded, events, asked, newest_events)
    heard = newest_events if events.last() > newest_events else None
    recorded = replace(recorded, feedback=counts.feedback(), heard=heard)
    if asked:
        model, _, answer = asked.partition("/")
        version = f"{model}/{claimed_version(answer)}"
        recorded = replace(
            recorded, answer=Answer(id=asked, version=version, events=counts.asked())
        )
    graph = graph_of(recorded, focus=named if kind == Kind.DATASET else "")
    return traced(graph, focus, direction)


def _read(records: Records) -> Recorded:
    return Recorded(
        batches=tuple(records.find(DataBatch)),
        datasets=tuple(records.find(DatasetVersion)),
        runs=tuple(records.find(Run)),
        versions=tuple(records.find(ModelVersion)),
        reports=tuple(records.find(ValidationReport)),
        deployments=tuple(records.find(Deployment)),
    )


# --- what came back ---------------------------------------------------------------------------


@dataclass(slots=True)
class _Counts:
    """Events by the version whose answers led to them, and by the source they are ingested as.

    Attributes:
        events, answers: by version and source.
        of_asked: the types of the events of the answer that is asked for, by source.
    """

    events: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    answers: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    of_asked: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, event: Event, source: str, asked: str) -> None:
        version = claimed_version(event.recommendation_id)
        if version is None:
            return
        place = (f"{event.model}/{version}", source)
        self.events[place] += 1
        self.answers[place].add(event.recommendation_id)
        if f"{event.model}/{event.recommendation_id}" == asked:
            self.of_asked[source].append(str(event.type))

    def feedback(self) -> tuple[Feedback, ...]:
        return tuple(
            Feedback(version=version, source=source, events=count, answers=len(answers))
            for (version, source), count in self.events.items()
            for answers in (self.answers[version, source],)
        )

    def asked(self) -> dict[str, tuple[str, ...]]:
        return {source: tuple(types) for source, types in self.of_asked.items()}


def _counted(recorded: Recorded, events: Events, asked: str, newest: int) -> _Counts:
    """Read the newest events once, each put to the batch of its model that it went into."""
    ends: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for batch in recorded.batches:
        if batch.events_until:
            ends[batch.model].append((batch.events_until, batch.source))
    borders = sorted({end for found in ends.values() for end, _ in found})
    counts, cursor, last = _Counts(), max(0, events.last() - newest), events.last()
    for border in [*(end for end in borders if end > cursor), last]:
        sources = {
            model: next((name for end, name in sorted(found) if end >= border), "")
            for model, found in ends.items()
        }
        for event in _between(events, cursor, border):
            counts.add(event, sources.get(event.model, ""), asked)
        cursor = max(cursor, border)
    return counts


def _between(events: Events, after: int, until: int) -> Iterator[Event]:
    """The events after one cursor, up to and with another; numbers may be missing in between."""
    most = _PAGE
    while after < until:
        most = min(most, until - after)
        page, cursor = events.after(after, limit=most)
        if cursor <= until:
            if not page:
                return
            yield from page
            after, most = cursor, _PAGE
        elif most == 1:
            return  # the next one there is comes after ``until``
        else:
            most //= 2
