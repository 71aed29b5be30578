"""What a turn of the loop, or one part of it, came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from flyball.answers import Deployed, Ingested, RolledBack, Trained, Turn
from flyball.cli.views.words import below, coloured, measures, table
from flyball.domain.deployment import Phase
from flyball.domain.validation import Decision, ValidationReport

_SERVES = frozenset({Phase.BAKING, Phase.DONE})


def turn(found: Turn) -> Iterator[RenderableType]:
    """A whole turn."""
    yield from ingested(found.ingested)
    yield from trained(found.trained)
    yield from report(found.report)
    if found.deployed is not None:
        yield from deployed(found.deployed)


def handed_over(model: str, workflow: str) -> Iterator[RenderableType]:
    """A turn that the control process carries out."""
    yield f"handed to `flyball up` as {workflow}; see `flyball status {model}`"


def ingested(found: Sequence[Ingested]) -> Iterator[RenderableType]:
    """Batches of data."""
    for one in found:
        batch, dataset = one.batch, one.dataset
        if not one.new:
            known = f"{batch.batch_id} ({batch.rows:,} rows)"
            yield f"data      same batch as before: {known}; nothing new"
            continue
        yield (
            f"data      batch {batch.batch_id}: {batch.rows:,} rows -> dataset "
            f"{dataset.version[:8]} ({dataset.rows:,} rows)"
        )
        for finding in batch.findings:
            kind = "left out" if finding.dropped else "noted"
            yield Text(
                f"          {kind} {finding.count:,}: {finding.rule} ({finding.detail})",
                style="dim",
            )


def trained(found: Trained) -> Iterator[RenderableType]:
    """A training."""
    version, run = found.version, found.run
    said = "trained" if found.new else "trained before, nothing new:"
    yield Text.assemble(
        f"version   {said} {version.name} ({version.family}), ", coloured(version.state)
    )
    yield f"          {measures(version.metrics)}; best of {run.trials_done} trials"


def report(found: ValidationReport) -> Iterator[RenderableType]:
    """A validation report."""
    against = f" against {found.champion}" if found.champion else ""
    yield Text.assemble(f"report    {found.version}{against}: ", coloured(found.decision))
    yield checks(found)
    if found.decision is not Decision.PROMOTE:
        for advice in found.recommendations:
            yield f"          to do: {advice}"


def checks(found: ValidationReport) -> RenderableType:
    """The checks of a report, as a table."""
    made = table("Check", "Verdict", "What it says", keep=("Check", "Verdict"))
    for result in found.results:
        made.add_row(result.check, coloured(result.verdict), result.summary)
    return below(made)


def deployed(found: Deployed) -> Iterator[RenderableType]:
    """A deployment."""
    one = found.deployment
    if one.phase in _SERVES:
        said = "serves" if found.new else "serves already; nothing new:"
        instead = f" instead of {one.replaces}" if one.replaces else ""
        yield Text.assemble(f"serving   {one.version} {said}{instead} (", coloured(one.phase), ")")
        return
    yield Text.assemble(f"serving   {one.version} is not served: ", coloured(one.phase))
    if one.detail:
        yield f"          {one.detail}"
    if not found.new:
        yield f"          it stays so; `flyball deploy {one.model} {one.version}` tries again"


def rolled_back(found: RolledBack) -> Iterator[RenderableType]:
    """A rollback."""
    yield f"{found.serving} serves {found.model} again; {found.withdrawn} was withdrawn"
    yield f"because: {found.reason}"
    if found.seconds is None:
        yield Text("no worker has confirmed it: the next one starts with it", style="yellow")
    else:
        yield below(f"every worker applied it within {found.seconds:.1f} s")
