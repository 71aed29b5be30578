"""How things stand: the installation, a model's versions, what served, the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from flyball.answers import ModelStatus, Served, Status
from flyball.cli.views.rollouts import share, underway
from flyball.cli.views.words import (
    ago,
    below,
    coloured,
    exactly,
    facts,
    measures,
    short,
    size,
    table,
)
from flyball.domain.deployment import Phase
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.text import many


def status(found: Status, now: datetime, *, detailed: bool) -> Iterator[RenderableType]:
    """The installation; with ``detailed`` each model in full."""
    yield facts(
        [
            ("home", str(found.home)),
            ("control", found.control or Text("not running; `flyball up` starts it", "yellow")),
        ]
    )
    yield below(_workers(found, now))
    if detailed:
        for model in found.models:
            yield below(_model(model, now))
            if model.rollout is not None:
                yield below(underway(model.rollout, now))
    else:
        yield below(_models(found.models, now))


def _workers(found: Status, now: datetime) -> RenderableType:
    if not found.workers:
        return Text("no worker is running: nothing answers requests", style="dim")
    made = table("Worker", "URL", "Seen", "Memory", keep=("Worker", "URL", "Seen", "Memory"))
    for worker in found.workers:
        made.add_row(worker.worker, worker.url, ago(worker.seen_at, now), size(worker.rss_bytes))
    return made


def _models(models: Sequence[ModelStatus], now: datetime) -> RenderableType:
    made = table(
        "Model", "Serves", "State", "Last deployment", "Last report", keep=("Serves", "State")
    )
    for model in models:
        champion, report = model.champion, model.report
        made.add_row(
            model.model,
            champion.name if champion else Text("nothing yet", style="dim"),
            coloured(champion.state) if champion else "",
            _deployment(model, now),
            _of(report.version, report.decision) if report else "",
        )
    return made


def _deployment(model: ModelStatus, now: datetime) -> Text:
    """The last deployment; of one under way its step, and what keeps it there."""
    one, rollout = model.deployment, model.rollout
    if one is None:
        return Text()
    if rollout is None or one.phase is not Phase.ROLLING:
        return _after(_of(one.version, one.phase), one.moved_at, now)
    said = f" at {share(rollout.share)} (step {rollout.step} of {len(one.steps)})"
    told = _after(Text.assemble(_of(one.version, one.phase), said), rollout.since, now)
    if rollout.keeps:
        told.append(f"\n{rollout.keeps}", style="yellow")
    return told


def _of(version: str, state: object) -> Text:
    """A state and the number of the version that is in it."""
    return Text.assemble(f"{version.partition('-')[0]} ", coloured(state))


def _after(text: Text, when: datetime, now: datetime) -> Text:
    return Text.assemble(text, f" {ago(when, now)}")


def _model(model: ModelStatus, now: datetime) -> RenderableType:
    champion, deployment, run = model.champion, model.deployment, model.run
    report, dataset = model.report, model.dataset
    route = model.route
    rows: list[tuple[str, RenderableType]] = [
        ("model", f"{model.model} ({model.application})"),
        ("serves", champion.name if champion else Text("nothing yet", style="dim")),
        ("state", coloured(champion.state) if champion else ""),
        ("kept ready", (route.standby or "") if route else ""),
        ("metrics", measures(champion.metrics) if champion else ""),
    ]
    if deployment:
        said = _after(coloured(deployment.phase), deployment.moved_at, now)
        rows.append(("deployment", Text.assemble(f"{deployment.version} ", said)))
        rows.append(("", deployment.detail))
    if run:
        done = f"{run.trials_done} of at most {run.budget.trials} trials"
        rows.append(("last run", f"{run.run_id} {run.phase}, {done}, {ago(run.started_at, now)}"))
        rows.append(("", run.error))
    if report:
        said = _after(coloured(report.decision), report.created_at, now)
        rows.append(("last report", Text.assemble(f"{report.version} ", said)))
    if dataset:
        batches = f"{many(dataset.rows, 'row')} in {many(len(dataset.batches), 'batch')}"
        rows.append(("data", f"{dataset.version[:8]}: {batches}, {ago(dataset.created_at, now)}"))
    rows.append(("versions", str(model.versions)))
    return facts(rows)


def versions(model: str, found: Sequence[ModelVersion], now: datetime) -> Iterator[RenderableType]:
    """The versions of a model, as a table."""
    if not found:
        yield f"{model} has no version yet; `flyball run {model} FILE` makes one"
        return
    made = table(
        "Version", "State", "Family", "Measured", "Made", keep=("Version", "State", "Made")
    )
    for version in found:
        made.add_row(
            version.name,
            coloured(version.state),
            version.family,
            measures(version.metrics, most=2),
            ago(version.created_at, now),
        )
    yield made


def served(found: Served, now: datetime) -> Iterator[RenderableType]:
    """Which version served at a time."""
    yield facts(
        [
            ("model", found.model),
            ("at", exactly(found.at, now)),
            ("served", found.version or Text("nothing", style="yellow")),
            ("since", exactly(found.since, now) if found.since else ""),
            ("because", found.because),
            ("by", found.by),
            ("ledger row", "" if found.ledger_row is None else str(found.ledger_row)),
            *_shares(found, now),
            ("evidence", f"bundle {found.bundle[:8]}" if found.bundle else ""),
        ]
    )


def _shares(found: Served, now: datetime) -> Iterator[tuple[str, RenderableType]]:
    """Who else served then, with which share of the users, and why."""
    if found.shared is None:
        return
    entry = found.shared.entry
    split = ", ".join(f"{version} {part:.1%}" for version, part in found.shares.items())
    yield "shares", split
    yield "", f"since {exactly(entry.at, now)}: {entry.reason} ({entry.actor})"
    yield "", f"ledger row {found.shared.seq}"


def ledger(rows: Sequence[LedgerRow], now: datetime, *, limit: int) -> Iterator[RenderableType]:
    """Rows of the ledger, as a table."""
    if not rows:
        yield "the ledger is empty: nothing was done yet"
        return
    made = table("Row", "When", "Who", "What, and why", keep=("Row", "When"))
    for row in rows:
        entry = row.entry
        what = Text(f"{entry.action} {short(entry.subject)}\n")
        if entry.after and not entry.after.startswith("{"):  # a document; --json shows it
            what.append(f"{short(entry.before) or 'none'} -> {short(entry.after)}\n")
        what.append(entry.reason, style="dim")
        made.add_row(str(row.seq), ago(entry.at, now), entry.actor, what)
    yield made
    if limit and len(rows) == limit:
        yield f"the last {limit} rows; --limit 0 shows all"
