"""A batch once a person is gone from its files: what its record says then. No effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Any

from flyball.domain.data import FORGOTTEN, DataBatch, Finding
from flyball.steps.tally import OF_THE_FORGOTTEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A file without the person, kept.

    Attributes:
        md5: its DVC hash.
        digest: its SHA-256.
        gone: how many rows went.
        left: how many stayed.
    """

    md5: str
    digest: str
    gone: int
    left: int


def after(
    batch: DataBatch,
    *,
    rows: Rewritten | None,
    quarantine: Rewritten | None,
    sketches: str,
) -> DataBatch:
    """The batch as its files are now; each of them None, or as it was, where it did not change.

    Its digest is that of the rows that are left: the same source, from which the person is left
    out now, is then the same batch.
    """
    if rows is not None:
        batch = replace(
            batch,
            digest=rows.digest,
            md5=rows.md5,
            rows=rows.left,
            findings=_findings(batch, rows.gone),
        )
    if quarantine is not None:
        md5 = quarantine.md5 if quarantine.left else ""
        batch = replace(batch, quarantine=md5, quarantined=quarantine.left)
    return replace(batch, sketches=sketches)


def without(value: Any, person: str, stand_in: str) -> Any:
    """A value in whose texts, at any depth, something else stands for a person's pseudonym."""
    match value:
        case Enum():
            return value
        case str():
            return value.replace(person, stand_in)
        case Mapping():
            return {without(k, person, stand_in): without(v, person, stand_in)
                    for k, v in value.items()}  # fmt: skip
        case list() | tuple():
            return type(value)(without(item, person, stand_in) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: without(getattr(value, f.name), person, stand_in) for f in fields(value)}
        return replace(value, **parts)
    return value


def _findings(batch: DataBatch, gone: int) -> tuple[Finding, ...]:
    """The batch's findings with the rows of forgotten people counted."""
    others = tuple(finding for finding in batch.findings if finding.rule != FORGOTTEN)
    gone += sum(finding.count for finding in batch.findings if finding.rule == FORGOTTEN)
    return (*others, Finding(rule=FORGOTTEN, count=gone, dropped=True, detail=OF_THE_FORGOTTEN))
