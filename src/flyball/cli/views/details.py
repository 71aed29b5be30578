"""Everything about one version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from flyball.answers import VersionDetails
from flyball.cli.views.searches import searched, tried
from flyball.cli.views.turns import checks
from flyball.cli.views.words import ago, below, coloured, exactly, facts, measures, table
from flyball.domain.text import many
from flyball.domain.validation import ValidationReport


def version(
    found: VersionDetails, now: datetime, page: Callable[[ValidationReport], Path | None]
) -> Iterator[RenderableType]:
    """A version, its run, its reports, its deployments and its history.

    Args:
        page: where a report lies as a page.
    """
    one = found.version
    yield facts(
        [
            ("version", f"{one.model}/{one.name}"),
            ("state", coloured(one.state)),
            ("made", exactly(one.created_at, now)),
            ("family", f"{one.family} ({one.recipe.architecture})"),
            ("data", one.recipe.data_version),
            ("settings", measures(one.recipe.hyperparameters)),
            ("measured", measures(one.metrics)),
            ("artifact", str(found.artifact) if found.artifact else f"{one.artifact} (missing)"),
            ("run", _run(found)),
            *searched(found.run),
        ]
    )
    if found.run is not None and found.run.result is not None:
        yield below(tried(found.run.result))
    for report in found.reports:
        decided = Text.assemble("Report: ", coloured(report.decision))
        decided.append(f" {ago(report.created_at, now)}", style="dim")
        yield below(decided)
        if (path := page(report)) is not None:
            yield str(path)
        yield checks(report)
    if found.deployments:
        yield _deployments(found, now)
    if found.history:
        yield below(_history(found, now))


def _run(found: VersionDetails) -> str:
    run = found.run
    if run is None:
        return f"{found.version.run_id} (its record is missing)"
    tracked = f", MLflow {run.result.tracked_as}" if run.result else ""
    return f"{run.run_id}: {many(run.trials_done, 'trial')}, seed {run.seed}{tracked}"


def _deployments(found: VersionDetails, now: datetime) -> RenderableType:
    made = table(
        "Deployment", "Phase", "Moved", "Replaced", "Detail", keep=("Phase", "Moved", "Replaced")
    )
    for one in found.deployments:
        made.add_row(
            f"{one.ordinal}, {one.strategy}",
            coloured(one.phase),
            ago(one.moved_at, now),
            one.replaces or "nothing",
            one.detail,
        )
    return made


def _history(found: VersionDetails, now: datetime) -> RenderableType:
    made = table("Row", "When", "Move", "Why", "Who", keep=("Row", "When"))
    for row in found.history:
        entry = row.entry
        move = f"{entry.before or 'none'} -> {entry.after}" if entry.after else entry.action
        made.add_row(str(row.seq), ago(entry.at, now), move, entry.reason, entry.actor)
    return made
