"""Runs of jobs as OpenLineage events, built of the specification's own classes.

``openlineage-python`` takes half a second to import: this file does it when the first event is
written, and whoever writes none never imports it.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from openlineage.client import event_v2 as ol
from openlineage.client import facet_v2 as facets
from openlineage.client.serde import Serde

from flyball import __version__
from flyball.domain.schema import Column, Privacy
from flyball.domain.told import NAMESPACE, Assertion, Data, JobRun, Metrics, run_uuid

PRODUCER = f"urn:flyball:{__version__}"


def event_line(run: JobRun) -> str:
    """One event as a line of JSON. The same run and outcome give the same line."""
    event = ol.RunEvent(
        eventType=ol.RunState(str(run.outcome)),
        eventTime=_time(run.at),
        run=ol.Run(runId=str(UUID(run.run_id)), facets=_run_facets(run)),
        job=ol.Job(namespace=NAMESPACE, name=run.job, facets=_job_facets()),
        inputs=[_input(data) for data in run.read],
        outputs=[_output(data) for data in run.wrote],
        producer=PRODUCER,
    )
    return json.dumps(Serde.to_dict(event), sort_keys=True, ensure_ascii=False, allow_nan=False)


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- runs and jobs ----------------------------------------------------------------------------


def _run_facets(run: JobRun) -> dict[str, Any]:
    loop = facets.parent_run.ParentRunFacet(
        run=facets.parent_run.Run(runId=run_uuid(f"loop:{run.model}")),
        job=facets.parent_run.Job(namespace=NAMESPACE, name=run.model),
        producer=PRODUCER,
    )
    engine = facets.processing_engine_run.ProcessingEngineRunFacet(
        version=__version__, name="flyball", producer=PRODUCER
    )
    made: dict[str, Any] = {"parent": loop, "processing_engine": engine}
    if run.began is not None:
        made["nominalTime"] = facets.nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=_time(run.began), producer=PRODUCER
        )
    if run.error:
        made["errorMessage"] = facets.error_message_run.ErrorMessageRunFacet(
            message=run.error, programmingLanguage="PYTHON", producer=PRODUCER
        )
    if run.parameters:
        made["executionParameters"] = facets.execution_parameters_run.ExecutionParametersRunFacet(
            parameters=[
                facets.execution_parameters_run.ExecutionParameter(
                    key=key, name=key, value=str(value)
                )
                for key, value in run.parameters.items()
            ],
            producer=PRODUCER,
        )
    return made


def _job_facets() -> dict[str, Any]:
    kind = facets.job_type_job.JobTypeJobFacet(
        processingType="BATCH", integration="FLYBALL", jobType="JOB", producer=PRODUCER
    )
    return {"jobType": kind}


# --- datasets ---------------------------------------------------------------------------------


def _input(data: Data) -> Any:
    made: dict[str, Any] = {}
    if data.rows is not None:
        made["inputStatistics"] = (
            facets.input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
                rowCount=data.rows, producer=PRODUCER
            )
        )
    if data.assertions:
        made["dataQualityAssertions"] = (
            facets.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                assertions=[_assertion(one) for one in data.assertions], producer=PRODUCER
            )
        )
    return ol.InputDataset(data.namespace, data.name, facets=_facets(data), inputFacets=made)


def _output(data: Data) -> Any:
    made: dict[str, Any] = {}
    if data.rows is not None:
        made["outputStatistics"] = (
            facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=data.rows, producer=PRODUCER
            )
        )
    return ol.OutputDataset(data.namespace, data.name, facets=_facets(data), outputFacets=made)


def _facets(data: Data) -> dict[str, Any]:
    made: dict[str, Any] = {
        "dataSource": facets.datasource_dataset.DatasourceDatasetFacet(
            name=data.namespace,
            uri=data.uri or f"urn:flyball:{quote(data.name)}",
            producer=PRODUCER,
        )
    }
    if data.version:
        made["version"] = facets.dataset_version_dataset.DatasetVersionDatasetFacet(
            datasetVersion=data.version, producer=PRODUCER
        )
    if data.columns:
        made["schema"] = facets.schema_dataset.SchemaDatasetFacet(
            fields=_fields(data), producer=PRODUCER
        )
    if data.parquet:
        made["storage"] = facets.storage_dataset.StorageDatasetFacet(
            storageLayer="dvc", fileFormat="parquet", producer=PRODUCER
        )
    if data.metrics:
        made["dataQualityMetrics"] = (
            facets.data_quality_metrics_dataset.DataQualityMetricsDatasetFacet(
                rowCount=data.rows,
                columnMetrics={name: _column_metrics(one) for name, one in data.metrics.items()},
                producer=PRODUCER,
            )
        )
    if data.made_from is not None and data.columns:
        made["columnLineage"] = _column_lineage(data, data.made_from)
    return made


def _fields(data: Data) -> list[Any]:
    return [
        facets.schema_dataset.SchemaDatasetFacetFields(
            name=name,
            type=str(column.type) if column else None,
            description=_described(column) if column else None,
            ordinal_position=place,
        )
        for place, (name, column) in enumerate(_columns(data), 1)
    ]


def _columns(data: Data) -> list[tuple[str, Column | None]]:
    known = {column.name: column for column in data.schema.columns} if data.schema else {}
    return [(name, known.get(name)) for name in data.columns]


def _described(column: Column) -> str | None:
    parts = [f"in {column.unit}"] if column.unit else []
    parts += ["personal: stored as a pseudonym"] if column.privacy is Privacy.PERSONAL else []
    return ", ".join(parts) or None


def _column_metrics(metrics: Metrics) -> Any:
    return facets.data_quality_metrics_dataset.ColumnMetrics(
        nullCount=metrics.nulls,
        distinctCount=metrics.distinct,
        count=metrics.count,
        min=metrics.minimum,
        max=metrics.maximum,
        quantiles=dict(metrics.quantiles) or None,
    )


def _column_lineage(data: Data, made_from: tuple[str, str]) -> Any:
    namespace, name = made_from
    return facets.column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={
            field: facets.column_lineage_dataset.Fields(
                inputFields=[
                    facets.column_lineage_dataset.InputField(
                        namespace, name, field, transformations=[_transformation(column, data)]
                    )
                ]
            )
            for field, column in _columns(data)
        },
        producer=PRODUCER,
    )


def _transformation(column: Column | None, data: Data) -> Any:
    personal = column is not None and column.privacy is Privacy.PERSONAL
    if personal and data.pseudonymised:
        return facets.column_lineage_dataset.Transformation(
            type="DIRECT",
            subtype="TRANSFORMATION",
            description="pseudonym: a keyed hash (BLAKE2b)",
            masking=True,
        )
    return facets.column_lineage_dataset.Transformation(
        type="DIRECT", subtype="IDENTITY", masking=False
    )


def _assertion(one: Assertion) -> Any:
    return facets.data_quality_assertions_dataset.Assertion(
        assertion=one.rule,
        success=one.holds,
        column=one.column or None,
        severity="error" if one.severe else "warn",
        description=one.detail,
        expected=one.expected or None,
        actual=one.actual or None,
    )
