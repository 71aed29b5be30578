"""Everything about one version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from flyball.answers import VersionDetails
from flyball.cli.views.turns import checks
from flyball.cli.views.words import ago, below, coloured, exactly, facts, measures, table


def version(found: VersionDetails, now: datetime) -> Iterator[RenderableType]:
    """A version, its run, its reports, its deployments and its history."""
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
        ]
    )
    for report in found.reports:
        decided = Text.assemble("Report: ", coloured(report.decision))
        decided.append(f" {ago(report.created_at, now)}", style="dim")
        yield below(decided)
        yield checks(report)
    if found.deployments:
        yield below(_deployments(found, now))
    if found.history:
        yield below(_history(found, now))


def _run(found: VersionDetails) -> str:
    run = found.run
    if run is None:
        return f"{found.version.run_id} (its record is missing)"
    tracked = f", MLflow {run.result.tracked_as}" if run.result else ""
    return f"{run.run_id}: {run.trials_done} trials, seed {run.seed}{tracked}"


def _deployments(found: VersionDetails, now: datetime) -> RenderableType:
    made = table("Deployment", "Phase", "Strategy", "Moved", "Replaced", "Detail", keep=("Moved",))
    for one in found.deployments:
        made.add_row(
            str(one.ordinal),
            coloured(one.phase),
            one.strategy,
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
