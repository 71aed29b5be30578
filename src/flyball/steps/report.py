"""The validation report as files: ``report.json`` for programs, ``report.html`` for people.

The page stands alone: its style and charts are inline, it loads nothing and runs no script.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from flyball.domain.canonical import plain
from flyball.domain.data import DatasetVersion
from flyball.domain.lifecycle import ModelVersion, summary
from flyball.domain.training import Run, Trial
from flyball.domain.validation import Decision, ValidationReport
from flyball.errors import StorageUnavailable
from flyball.stats.reliability import Reliability
from flyball.steps.manifest import Manifest
from flyball.steps.reliability_chart import reliability_chart
from flyball.steps.report_search import search_facts, search_section

JSON_NAME = "report.json"
HTML_NAME = "report.html"
TEMPLATE = "report.html.j2"

HEADLINES: Mapping[Decision, tuple[str, str]] = {
    Decision.PROMOTE: ("Promoted", "Every check passed; this version may be deployed."),
    Decision.REJECT: ("Rejected", "A check failed; this version goes back to development."),
    Decision.UNDECIDED: ("Undecided", "A check gave no clear answer; nothing was changed."),
}

RELIABILITY = "reliability"
"""The detail of a check that holds ``stats.reliability.Reliability.to_plain()``."""

WIDTH = 560.0
MARGIN = 24.0


def write_report(
    directory: Path,
    report: ValidationReport,
    *,
    version: ModelVersion,
    run: Run,
    data: DatasetVersion,
    manifest: Manifest | None = None,
) -> None:
    """Write both files into ``directory``.

    Args:
        report: its ``artifact`` is not known yet, and not shown.
        version, run, data: the candidate, the run that made it, and what it learnt from.
        manifest: the candidate's, where it can be read.

    Raises:
        StorageUnavailable: the disk refused it.
    """
    content = {
        **plain(report),
        "candidate": summary(version),
        "split": plain(run.split),
        "seed": run.seed,
        "trials": [{**plain(trial), "state": trial.state} for trial in trials_of(run)],
        "search": search_facts(run.result),
        "manifest": plain(manifest),
    }
    del content["artifact"]
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        (directory / JSON_NAME).write_text(text + "\n", encoding="utf-8")
        page = html(report, version=version, run=run, data=data, manifest=manifest)
        (directory / HTML_NAME).write_text(page, encoding="utf-8")
    except OSError as error:
        raise StorageUnavailable(
            f"the report on {version.id} cannot be written in {directory}: {error.strerror}; "
            "free some space"
        ) from error


def html(
    report: ValidationReport,
    *,
    version: ModelVersion,
    run: Run,
    data: DatasetVersion,
    manifest: Manifest | None = None,
) -> str:
    """The page. Every text in it is escaped."""
    from jinja2 import Environment, StrictUndefined

    source = (resources.files("flyball.steps") / TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = shown
    headline, meaning = HEADLINES[report.decision]
    return environment.from_string(source).render(
        report=report,
        version=version,
        run=run,
        data=data,
        manifest=manifest,
        headline=headline,
        meaning=meaning,
        checks=[_section(result.check, result.details, result) for result in report.results],
        search=search_section(run.result, version),
    )


def trials_of(run: Run) -> tuple[Trial, ...]:
    """What the run tried."""
    return run.result.trials if run.result else ()


def shown(value: Any) -> str:
    """A value as a person reads it: four significant digits, no braces."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
        case int():
            return f"{value:,}" if abs(value) < 1e9 else str(value)  # beyond: a seed, not a count
        case Mapping():
            return ", ".join(f"{key} {shown(item)}" for key, item in value.items()) or "none"
        case list() | tuple():
            return ", ".join(shown(item) for item in value) or "none"
        case _:
            return str(value)


# --- charts and tables, as plain values for the template --------------------------------------


@dataclass(frozen=True, slots=True)
class Chart:
    """One interval on its own scale; places in pixels from the left."""

    label: str
    verdict: str
    mean: float
    low: float
    high: float
    bound: float
    at: Mapping[str, float]


def interval_chart(interval: Mapping[str, Any]) -> Chart:
    """The places of an interval, its mean and the bound it must exceed."""
    values = {
        "low": float(interval["low"]),
        "mean": float(interval["difference"]),
        "high": float(interval["high"]),
        "bound": float(interval["bound"]),
        "zero": 0.0,
    }
    least, most = min(values.values()), max(values.values())
    span = (most - least) or 1.0
    places = {
        name: round(MARGIN + (value - least) / span * (WIDTH - 2 * MARGIN), 1)
        for name, value in values.items()
    }
    return Chart(
        label=str(interval["against"]),
        verdict=str(interval["verdict"]),
        mean=values["mean"],
        low=values["low"],
        high=values["high"],
        bound=values["bound"],
        at=places,
    )


def _section(name: str, details: Mapping[str, Any], result: Any) -> dict[str, Any]:
    """One check's numbers: single values, tables of equal rows, intervals and calibration drawn."""
    drawn = {"intervals", RELIABILITY}
    tables = {
        key: value
        for key, value in details.items()
        if isinstance(value, list | tuple) and value and all(isinstance(v, Mapping) for v in value)
    }
    intervals = tables.pop("intervals", ())
    reliability = details.get(RELIABILITY)
    return {
        "name": name,
        "result": result,
        "values": {k: v for k, v in details.items() if k not in tables and k not in drawn},
        "tables": tables,
        "picture": reliability_chart(Reliability.from_plain(reliability)) if reliability else "",
        "charts": [interval_chart(interval) for interval in intervals],
    }
