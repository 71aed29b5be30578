"""The newest version of a dataset: the one that the empty version's ``head`` names.

It is not always the last that was written: the same files as once before are that version again.
"""

from __future__ import annotations

from flyball.domain.data import EMPTY, DatasetVersion
from flyball.errors import NotFound
from flyball.ports import Records


def ends(records: Records, model: str) -> tuple[DatasetVersion, DatasetVersion] | tuple[None, None]:
    """The empty version and the newest one; None where there is none yet."""
    try:
        start = records.get(DatasetVersion, f"{model}/{EMPTY}")
    except NotFound:
        return None, None
    return start, records.get(DatasetVersion, f"{model}/{start.head}")


def newest(records: Records, model: str) -> DatasetVersion:
    """The newest version of a model's dataset.

    Raises:
        NotFound: nothing was ingested yet.
    """
    _, found = ends(records, model)
    if found is None:
        raise NotFound(f"{model} has no data yet; run `flyball ingest {model} SOURCE` first")
    return found
