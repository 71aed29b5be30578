"""The same row rules by Flyball, pandera and Great Expectations: seconds on one frame in memory.

``python -m benchmarks.peers NAME ROWS`` makes the rows (1% of them break a rule), checks them once
with every failing row collected, and prints the seconds and how many rows failed, as JSON. The rows
are made anew by each, from the same seed; only the checking is timed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import polars as pl

from benchmarks.rows import interactions

EVENTS = ["purchase", "play"]
NEEDED = ["user_id", "title", "event"]
KEY = ["user_id", "title", "event", "value", "timestamp"]
DIRT = 0.01
CHUNK = 250_000
"""Rows at a time, as an ingest has them."""


def frame(rows: int) -> pl.DataFrame:
    """Typed rows, some of which break a rule."""
    return interactions(rows, seed=1, dirt=DIRT).with_columns(
        pl.col("value").cast(pl.Float64),
        pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"),
    )


def flyball(rows: pl.DataFrame) -> Callable[[], int]:
    """Row rules and repeated rows, as ``steps.ingest`` applies them."""
    from flyball.domain.schema import Column, ColumnType, Privacy, Schema
    from flyball.ports import LINE
    from flyball.steps.ahead import ahead
    from flyball.steps.conform import conform
    from flyball.steps.duplicates import Duplicates, row_hashes

    text = ColumnType.STRING
    schema = Schema(
        columns=(
            Column(name="user_id", type=text, privacy=Privacy.PERSONAL),
            Column(name="title", type=text),
            Column(name="event", type=text, allowed=tuple(EVENTS)),
            Column(name="value", type=ColumnType.NUMBER, nullable=True, minimum=0.0),
            Column(name="timestamp", type=ColumnType.TIMESTAMP, nullable=True),
        ),
        key=tuple(KEY),
    )
    lined = rows.with_columns(pl.int_range(1, rows.height + 1, dtype=pl.Int64).alias(LINE))

    def check() -> int:
        failed = 0
        with tempfile.TemporaryDirectory() as folder:
            duplicates = Duplicates(Path(folder))
            chunks = (lined[start : start + CHUNK] for start in range(0, lined.height, CHUNK))
            for kept, aside in ahead(conform(chunk, schema) for chunk in chunks):
                duplicates.add(row_hashes(kept, KEY))
                failed += aside.height
            return failed + len(duplicates.found())

    return check


def pandera(rows: pl.DataFrame) -> Callable[[], int]:
    """One lazy validation of a pandera schema on polars."""
    import pandera.polars as pa

    schema = pa.DataFrameSchema(
        {
            "user_id": pa.Column(pl.String, nullable=False),
            "title": pa.Column(pl.String, nullable=False),
            "event": pa.Column(pl.String, pa.Check.isin(EVENTS), nullable=False),
            "value": pa.Column(pl.Float64, pa.Check.ge(0.0), nullable=True),
            "timestamp": pa.Column(pl.Datetime("us", "UTC"), nullable=True),
        },
        unique=KEY,
    )

    def check() -> int:
        try:
            schema.validate(rows, lazy=True)
        except pa.errors.SchemaErrors as error:
            return error.failure_cases.height
        return 0

    return check


def great_expectations(rows: pl.DataFrame) -> Callable[[], int]:
    """One validation of a suite on the pandas frame that it needs; made before the clock starts."""
    import great_expectations as gx
    from great_expectations import expectations as expect

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("whole")
    rules = [expect.ExpectColumnValuesToNotBeNull(column=name) for name in NEEDED]
    rules += [
        expect.ExpectColumnValuesToBeInSet(column="event", value_set=EVENTS),
        expect.ExpectColumnValuesToBeBetween(column="value", min_value=0.0),
        expect.ExpectCompoundColumnsToBeUnique(column_list=KEY),
    ]
    suite = context.suites.add(gx.ExpectationSuite("rules", expectations=rules))
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(name="once", data=batch, suite=suite)
    )
    frame = rows.to_pandas()

    def check() -> int:
        result = validation.run(
            batch_parameters={"dataframe": frame}, result_format={"result_format": "COMPLETE"}
        )
        return sum(one.result["unexpected_count"] for one in result.results)

    return check


PEERS = {"flyball": flyball, "pandera": pandera, "great_expectations": great_expectations}


def main() -> int:
    """Check once; print seconds and failures."""
    warnings.simplefilter("ignore")
    name, rows = sys.argv[1], int(sys.argv[2])
    check = PEERS[name](frame(rows))
    began = time.perf_counter()
    failed = check()
    print(json.dumps({"seconds": time.perf_counter() - began, "failed": failed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
