"""The datasets of the loop, as OpenLineage names and describes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from flyball.domain.data import PACKAGE, DataBatch, DatasetVersion, Finding, Measured, Severity
from flyball.domain.schema import Schema
from flyball.domain.table_schema import package_from
from flyball.domain.text import many
from flyball.domain.told import NAMESPACE, Assertion, Data, Metrics
from flyball.domain.validation import Verdict
from flyball.errors import FlyballError
from flyball.ports import Datasets

_CLEAR = (Verdict.PASS, Verdict.FAIL)
"""Verdicts that OpenLineage can tell: it knows success only, and no data is never a success."""


def schemas_of(dataset: DatasetVersion, datasets: Datasets) -> dict[str, Schema]:
    """The tables of a dataset version by name; none where its description is not here any more.

    (Lineage is told of old versions too, and a missing description must not stop it.)
    """
    md5 = dataset.files.get(PACKAGE)
    if md5 is None:
        return {}
    try:
        content = datasets.path(md5).read_bytes()
        return {schema.name: schema for schema in package_from(content, source=PACKAGE)}
    except (FlyballError, OSError):
        return {}


def source_data(batch: DataBatch, schema: Schema | None) -> Data:
    """Where a batch's rows came from, with the rules that they were held to."""
    namespace, name = _place(batch)
    return Data(
        namespace=namespace,
        name=name,
        uri=_uri(batch.source),
        schema=schema,
        columns=_columns(batch),
        rows=batch.rows + sum(f.count for f in batch.findings if f.dropped),
        assertions=(
            *map(_rule, batch.findings),
            *(_measure(m) for m in batch.measured if m.verdict in _CLEAR),
        ),
    )


def batch_data(batch: DataBatch, dataset: DatasetVersion, schema: Schema | None) -> Data:
    """The table that a batch was added to, as far as the batch goes."""
    columns = batch.profile.get("columns", {})
    return Data(
        namespace=NAMESPACE,
        name=f"{batch.model}.{batch.table or 'rows'}",
        version=dataset.version,
        schema=schema,
        columns=_columns(batch),
        rows=batch.rows,
        metrics={name: _metrics(batch.rows, facts) for name, facts in columns.items()},
        made_from=_place(batch),
        pseudonymised=not (batch.repaired_from or batch.events_until),  # those are already
        parquet=True,
    )


def quarantine_data(batch: DataBatch) -> Data:
    """The rows that a batch left out."""
    return Data(
        namespace=NAMESPACE,
        name=f"{batch.model}.quarantine.{batch.batch_id}",
        version=batch.quarantine,
        rows=batch.quarantined,
        parquet=True,
    )


def tables_data(dataset: DatasetVersion, schemas: Mapping[str, Schema]) -> tuple[Data, ...]:
    """Each table of a dataset version."""
    return tuple(
        Data(
            namespace=NAMESPACE,
            name=f"{dataset.model}.{table}",
            version=dataset.version,
            schema=schemas.get(table),
            columns=tuple(c.name for c in schemas[table].columns) if table in schemas else (),
            rows=dataset.rows if len(tables) == 1 else None,
            parquet=True,
        )
        for tables in (dataset.tables(),)
        for table in tables
    )


def model_data(model: str, version: str) -> Data:
    """A model's version as a dataset: what training makes and deploying reads."""
    return Data(namespace=NAMESPACE, name=f"{model}.model", version=version)


def report_data(model: str, report_id: str) -> Data:
    """A validation report."""
    return Data(namespace=NAMESPACE, name=f"{model}.report", version=report_id)


def serving_data(model: str, version: str) -> Data:
    """What serves."""
    return Data(namespace=NAMESPACE, name=f"{model}.serving", version=version)


def _place(batch: DataBatch) -> tuple[str, str]:
    """A source's namespace and name, by OpenLineage's naming rules."""
    if batch.repaired_from:
        return NAMESPACE, f"{batch.model}.quarantine.{batch.repaired_from}"
    if batch.events_until:
        return NAMESPACE, f"{batch.model}.events"
    if "://" not in batch.source:
        path = PurePath(batch.source)
        return ("file", str(path)) if path.is_absolute() else (NAMESPACE, batch.source)
    address, _, query = batch.source.partition("#")
    parts = urlsplit(address)
    name = parts.path.lstrip("/") or "/"
    return f"{parts.scheme}://{parts.netloc}", f"{name}#{query}" if query else name


def _uri(source: str) -> str:
    if "://" in source:
        return source.partition("#")[0]
    path = PurePath(source)
    return path.as_uri() if path.is_absolute() else ""


def _columns(batch: DataBatch) -> tuple[str, ...]:
    return tuple(batch.profile.get("columns", {}))


def _metrics(rows: int, facts: Mapping[str, Any]) -> Metrics:
    nulls = _whole(facts.get("nulls"))
    quantiles = facts.get("quantiles")
    return Metrics(
        nulls=nulls,
        distinct=_whole(facts.get("distinct")),
        count=None if nulls is None else rows - nulls,
        minimum=_number(facts.get("min")),
        maximum=_number(facts.get("max")),
        quantiles={
            share: value
            for share, found in (quantiles.items() if isinstance(quantiles, Mapping) else ())
            if (value := _number(found)) is not None
        },
    )


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else round(number)


def _number(value: object) -> float | None:
    """Times are text in a profile, and OpenLineage has numbers only."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)


def _rule(finding: Finding) -> Assertion:
    rule, _, column = finding.rule.partition(":")
    return Assertion(
        rule=rule,
        column=column,
        holds=finding.count == 0,
        severe=False,  # a rule sets rows aside; a batch that too many stopped is not recorded
        detail=many(finding.count, "row") + (", left out" if finding.dropped else ""),
        expected="0",
        actual=str(finding.count),
    )


def _measure(measured: Measured) -> Assertion:
    name, _, column = measured.measure.partition(":")
    return Assertion(
        rule=name,
        column=column,
        holds=measured.verdict is not Verdict.FAIL,
        severe=measured.severity is Severity.SEVERE,
        detail=measured.detail,
        expected="" if measured.expected is None else f"{measured.expected:g}",
        actual="" if measured.observed is None else f"{measured.observed:g}",
    )
