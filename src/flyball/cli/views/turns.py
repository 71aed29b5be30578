"""What a turn of the loop, or one part of it, came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from flyball.answers import Deployed, Ingested, RolledBack, Trained, Turn
from flyball.cli.views.rollouts import share
from flyball.cli.views.words import coloured, facts, measures, table
from flyball.domain.deployment import Phase
from flyball.domain.text import many
from flyball.domain.validation import Decision, ValidationReport, Verdict

_SERVES = frozenset({Phase.BAKING, Phase.DONE})
_NAMES = 8
"""Columns for the names of the parts."""


def turn(found: Turn, page: Path | None = None) -> Iterator[RenderableType]:
    """A whole turn."""
    yield from ingested(found.ingested)
    yield from trained(found.trained)
    yield from report(found.report, page)
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
            known = f"{batch.batch_id} ({many(batch.rows, 'row')})"
            yield _part("data", f"same batch as before: {known}; nothing new")
            continue
        whole = f"dataset {dataset.version[:8]} ({many(dataset.rows, 'row')})"
        yield _part("data", f"batch {batch.batch_id}: {many(batch.rows, 'row')} -> {whole}")
        for finding in batch.findings:
            kind = "left out" if finding.dropped else "noted"
            told = f"{kind} {finding.count:,}: {finding.rule} ({finding.detail})"
            yield _part("", Text(told, style="dim"))
        if batch.quarantined:
            kept = f"{many(batch.quarantined, 'row')} in quarantine"
            yield _part(
                "", f"{kept}; see `flyball data quarantine explain {batch.model} {batch.batch_id}`"
            )
        for anomaly in batch.anomalies:
            words = f" {anomaly.measure}: {anomaly.detail}"
            yield _part("anomaly", Text.assemble(coloured(anomaly.severity), words))
        if undecided := [m for m in batch.measured if m.verdict is Verdict.INCONCLUSIVE]:
            which = many(len(undecided), "measure")
            why = "no earlier batch to compare with"
            yield _part("", Text(f"{which} could not be judged: {why}", style="dim"))


def trained(found: Trained) -> Iterator[RenderableType]:
    """A training."""
    version, run = found.version, found.run
    said = "trained" if found.new else "trained before, nothing new:"
    yield _part(
        "version",
        Text.assemble(f"{said} {version.name} ({version.family}), ", coloured(version.state)),
    )
    yield _part("", f"{measures(version.metrics)}; chosen from {many(run.trials_done, 'trial')}")
    if run.result is not None and run.result.why:
        yield _part("", run.result.why)


def report(found: ValidationReport, page: Path | None = None) -> Iterator[RenderableType]:
    """A validation report, and where it lies as a page."""
    against = f" against {found.champion}" if found.champion else ""
    yield _part("report", Text.assemble(f"{found.version}{against}: ", coloured(found.decision)))
    if page is not None:
        yield f"{' ' * (_NAMES + 2)}{page}"  # not folded: to be opened in a browser
    yield checks(found)
    if found.decision is not Decision.PROMOTE:
        for advice in found.recommendations:
            yield _part("to do", advice)


def checks(found: ValidationReport) -> RenderableType:
    """The checks of a report, as a table."""
    made = table("Check", "Verdict", "What it says", keep=("Check", "Verdict"))
    for result in found.results:
        made.add_row(result.check, coloured(result.verdict), result.summary)
    return Padding(made, (1, 0, 1, 0), expand=False)


def deployed(found: Deployed) -> Iterator[RenderableType]:
    """A deployment."""
    one = found.deployment
    if one.phase is Phase.ROLLING:
        yield from _under_way(found)
        return
    if one.phase in _SERVES:
        said = "serves" if found.new else _before(one.phase)
        instead = f" instead of {one.replaces}" if one.replaces and found.new else ""
        told = Text.assemble(f"{one.version} {said}{instead} (", coloured(one.phase), ")")
        yield _part("serving", told)
        return
    yield _part("serving", Text.assemble(f"{one.version} is not served: ", coloured(one.phase)))
    if one.detail:
        yield _part("", one.detail)
    if not found.new:
        again = f"`flyball deploy {one.model} {one.version}` tries again"
        yield _part("", f"it stays so; {again}")


def _under_way(found: Deployed) -> Iterator[RenderableType]:
    """A rollout that has begun: a success so far."""
    one = found.deployment
    beside = f"; {one.replaces} answers the others" if one.replaces else ""
    said = f"{one.version} answers {share(one.share)} of the users{beside} ("
    yield _part("serving", Text.assemble(said, coloured(one.phase), ")"))
    if found.followed:
        yield _part(
            "", f"it is judged step by step; `flyball status {one.model}` shows how it goes"
        )
        return
    yield _part("", Text("no control process is running, so nobody judges it", "yellow"))
    yield _part("", "`flyball up` goes on with it;")
    yield _part("", f"`flyball promote {one.model} {one.version}` gives it all traffic now")


def _before(phase: Phase) -> str:
    """What became of an earlier deployment; one that is done may have been superseded since."""
    return "was deployed before" if phase is Phase.DONE else "serves already"


def rolled_back(found: RolledBack) -> Iterator[RenderableType]:
    """A rollback."""
    yield f"{found.serving} serves {found.model} again; {found.withdrawn} was withdrawn"
    yield f"because: {found.reason}"
    if found.seconds is None:
        told = "no worker is running to confirm it; the next one starts with it"
        yield Text(told, style="yellow")
    else:
        yield f"every worker applied it within {found.seconds:.1f} s"
        yield from _pages(found)


def _pages(found: RolledBack) -> Iterator[RenderableType]:
    """What the health pages said of it."""
    if found.contradicted:
        names = ", ".join(found.contradicted)
        yield Text(f"but the health page of {names} says that another serves", style="red")
    elif found.confirmed:
        pages = (
            "1 health page says" if found.confirmed == 1 else f"{found.confirmed} health pages say"
        )
        yield f"{pages} that it serves"
    else:
        told = "no health page could be asked; where callers need credentials, set FLYBALL_API_KEY"
        yield Text(told, style="yellow")


def _part(name: str, said: str | Text) -> RenderableType:
    """One part of what happened, its further lines under its first."""
    return facts([(name, said)], least=_NAMES)
