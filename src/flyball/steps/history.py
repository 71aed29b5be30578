"""The earlier batches of a table: what a new one is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from flyball.domain.data import DataBatch, Severity
from flyball.errors import ArtifactCorrupt, NotFound
from flyball.ports import Datasets
from flyball.stats.profile import Profile

_NEWEST = 5
COMPARED = 30
"""The newest so many batches: enough to know how much they differ, and recent enough."""


def profiles_before(
    batches: Sequence[DataBatch], datasets: Datasets, table: str, *, events: bool = False
) -> list[Profile]:
    """The profiles of a table's newest batches of one kind, the oldest first.

    Own events are no sample of what files bring, nor files of own events, nor what was repaired
    from a quarantine of anything. A batch that was accepted although it was severely abnormal
    would make its like look usual: it counts once most of the newest ones are so. A profile that
    is lost or damaged is passed over: it is evidence, and the others are enough.

    Args:
        batches: the model's, the first written first.
        events: batches of the model's own events; else those of all other sources.
    """
    usual = [
        b
        for b in batches
        if b.table == table
        and b.sketches
        and not b.repaired_from
        and bool(b.events_until) is events
    ]
    odd = [any(m.severity is Severity.SEVERE for m in batch.anomalies) for batch in usual]
    if 2 * sum(odd[-_NEWEST:]) <= _NEWEST:
        usual = [batch for batch, strange in zip(usual, odd, strict=True) if not strange]
    found = []
    for batch in usual[-COMPARED:]:
        with suppress(NotFound, ArtifactCorrupt):
            found.append(Profile.from_json(datasets.path(batch.sketches).read_bytes()))
    return found
