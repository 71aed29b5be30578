"""Batches of data and the dataset versions they add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBatch:
    """Rows received together: immutable, content-addressed, with profile and validation result.

    Attributes:
        model: whose data it is.
        batch_id: the caller's id, or the first 12 hex digits of ``digest``.
        digest: SHA-256 (hex) of the canonical Parquet bytes: the same rows in the same order are
            the same batch, whatever file they came in.
        file: where the Parquet lies in the dataset, for example ``"0001-ab12cd34ef56.parquet"``.
        md5: the DVC hash of that file.
        source: where it came from, as given.
        rows: rows kept. ``findings`` says what was left out and why.
        profile: counts, nulls, quantiles by column; JSON types.
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
        files: the DVC hash of each Parquet by its file name.
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


EMPTY = "d751713988987e9331980363e24189ce"
"""The DVC hash of a directory without files: the version that every dataset starts from."""
