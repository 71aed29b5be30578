"""The lines of the page's tables: versions, traffic, ledger, workers. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flyball.answers import ModelStatus
from flyball.console import wording
from flyball.console.facts import tone_of
from flyball.console.traffic import VersionTraffic
from flyball.console.wording import Label, When, label, shortened, when
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import SlotPhase, WorkerStatus
from flyball.domain.text import many

VERSIONS_SHOWN = 8
METRICS_SHOWN = 3
LAST_POINTS = 4
"""How many of the newest points make up the present rate: about a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """A line of the versions table; ``metrics`` in the table's order of names."""

    label: Label
    role: str
    state: str
    tone: str
    family: str
    metrics: tuple[str, ...]
    created: When


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsView:
    """The newest versions first; ``more`` is how many older ones are not shown."""

    metric_names: tuple[str, ...]
    rows: tuple[VersionRow, ...]
    more: int
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRow:
    """One version's traffic in words."""

    label: Label
    per_second: str
    requests: str
    errors: str
    failing: bool
    p50: str
    p95: str
    feedback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One row of the ledger in words; ``full`` keeps what was shortened."""

    seq: int
    at: When
    actor: str
    what: str
    reason: str
    full: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """One serving process."""

    name: str
    url: str
    up: str
    slots: str
    tone: str
    memory: str


def versions_view(
    model: ModelStatus, versions: Sequence[ModelVersion], home: Path, now: datetime
) -> VersionsView:
    """The newest versions of a model."""
    shown = list(reversed(versions))[:VERSIONS_SHOWN]
    names = list(dict.fromkeys(name for version in shown for name in version.metrics))
    names = names[:METRICS_SHOWN]
    roles = {}
    if model.route:
        beside = "challenger" if model.route.challenger_share > 0 else "standby"
        roles = {model.route.standby: beside, model.route.champion: "champion"}
    return VersionsView(
        metric_names=tuple(names),
        rows=tuple(
            VersionRow(
                label=label(version.name),
                role=roles.get(version.name, ""),
                state=str(version.state),
                tone=tone_of(version.state),
                family=version.family,
                metrics=tuple(
                    wording.metric(version.metrics[name]) if name in version.metrics else "–"
                    for name in names
                ),
                created=when(version.created_at, now),
            )
            for version in shown
        ),
        more=len(versions) - len(shown),
        command=f"flyball versions {model.model} --home {home}",
    )


def traffic_row(version: VersionTraffic, *, max_error_share: float) -> TrafficRow:
    """What one version answered lately; more errors than allowed are marked."""
    total = version.total
    recent = version.points[-LAST_POINTS:]
    seconds = sum(point.seconds for point in recent)
    per_second = sum(point.requests for point in recent) / seconds if seconds else 0.0
    feedback = ", ".join(
        many(count, name) for name, count in total.feedback.items() if name != "impression"
    )
    return TrafficRow(
        label=label(version.version),
        per_second=wording.rate(per_second),
        requests=f"{total.requests:,}",
        errors=wording.percent(total.errors, total.requests),
        failing=total.errors > max_error_share * total.requests,
        p50=wording.milliseconds(total.p50_ms),
        p95=wording.milliseconds(total.p95_ms),
        feedback=feedback,
    )


def ledger_line(row: LedgerRow, model: str, now: datetime) -> LedgerLine:
    """A row of a model's ledger."""
    entry = row.entry
    subject = entry.subject.removeprefix(f"{model}/")
    if entry.action == "route":
        what = f"{entry.after or 'nothing'} serves"
        if entry.before:
            what += f" instead of {entry.before}"
    elif entry.action == "transition" and entry.before:
        what = f"{subject}: {entry.before} → {entry.after}"
    else:
        if subject.isdigit():
            subject = f"rollout {subject}"
        told = (part for part in (entry.before, entry.after) if part != entry.reason)
        change = " → ".join(part for part in told if part and not part.startswith("{"))
        what = f"{entry.action} {subject}" + (f": {change}" if change else "")
    return LedgerLine(
        seq=row.seq,
        at=when(entry.at, now),
        actor=entry.actor,
        what=shortened(what),
        reason=shortened(entry.reason),
        full=f"{what}\n{entry.reason}\nrow {row.seq}, digest {row.digest}",
    )


def worker_view(worker: WorkerStatus, now: datetime) -> WorkerView:
    """How a worker stands."""
    phases = [slot.phase for slot in worker.slots.values()]
    ready = sum(phase is SlotPhase.READY for phase in phases)
    failed = SlotPhase.FAILED in phases
    return WorkerView(
        name=worker.worker,
        url=worker.url,
        up=wording.lasting(now - worker.started_at) or "under a minute",
        slots=f"{ready} of {len(phases)} ready" if phases else "empty",
        tone="bad" if failed else "good" if phases and ready == len(phases) else "watch",
        memory=wording.size(worker.rss_bytes),
    )
