"""The declared schemas, and those that a dataset was stored under."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5
from textwrap import indent

from flyball.domain.data import PACKAGE
from flyball.domain.schema import Schema
from flyball.domain.schema_change import compared_all, difference
from flyball.domain.table_schema import package_bytes, package_from, to_package
from flyball.errors import SchemaChanged
from flyball.ports import Datasets, Records
from flyball.steps.newest import ends


def package(schemas: Sequence[Schema]) -> bytes:
    """The schemas as the file that lies with the data; the same schemas give the same bytes."""
    return package_bytes(to_package(schemas))


def recorded(records: Records, datasets: Datasets, model: str) -> tuple[Schema, ...]:
    """The schemas that a model's newest dataset version was stored under; none before the first."""
    file = _file(records, model)
    if file is None:
        return ()
    path = datasets.path(file)
    return package_from(path.read_bytes(), source=f"the recorded schema of {model} ({path})")


def _file(records: Records, model: str) -> str | None:
    """The DVC hash of the newest version's schemas, which is the MD5 of their bytes."""
    _, newest = ends(records, model)
    return newest.files.get(PACKAGE) if newest else None


def agree(model: str, schemas: Sequence[Schema], records: Records, datasets: Datasets) -> None:
    """Stop where the declared schemas break with the recorded ones.

    Raises:
        SchemaChanged: shows each difference.
    """
    if md5(package(schemas), usedforsecurity=False).hexdigest() == _file(records, model):
        return  # the very same, as nearly always: not to be read, nor to be found damaged
    before = recorded(records, datasets, model)
    if not before:
        return
    changes = compared_all(before, schemas)
    if any(change.breaking for change in changes):
        raise SchemaChanged(
            f"the declared schema of {model} breaks with the one its data was stored under. Put "
            f"the old one back, or take the new one with `flyball data schema {model} --accept`:\n"
            f"{indent(difference(changes), '  ')}"
        )
