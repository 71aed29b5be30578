"""The whole page as values: what is shown, in words, decided by pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flyball.answers import ModelStatus, Served, Status
from flyball.console.facts import Fact, Hint, facts, good_standby, hint, tone_of
from flyball.console.rollout import RolloutView, rollout_view
from flyball.console.rows import (
    LedgerLine,
    TrafficRow,
    VersionsView,
    WorkerView,
    ledger_line,
    traffic_row,
    versions_view,
    worker_view,
)
from flyball.console.traffic import Traffic
from flyball.console.wording import Label, When, label, shortened, when
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.text import many
from flyball.loop.lock import Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionView:
    """The version that serves."""

    label: Label
    state: str
    tone: str
    family: str
    since: When | None
    because: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlView:
    """Who runs the loop."""

    role: str
    process: str
    since: When | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """One model's card.

    Attributes:
        back_to: the version that a rollback restores; None where there is none.
        rollout: the one under way; None where none is.
        silence: what to do where nothing was asked of the model lately.
    """

    name: str
    subtitle: str
    champion: ChampionView | None
    hint: Hint | None
    facts: tuple[Fact, ...]
    traffic_rows: tuple[TrafficRow, ...]
    silence: Hint | None
    traffic: Traffic
    versions: VersionsView
    ledger: tuple[LedgerLine, ...]
    back_to: Label | None
    rollout: RolloutView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """The page. ``problem`` says why what is shown may be old; empty where it is not."""

    home: str
    control: ControlView | None
    models: tuple[ModelView, ...]
    workers: tuple[WorkerView, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """All that is known of a model when the page is made.

    Attributes:
        ledger: its last rows, the oldest first.
        served: what serves now, since when and why.
        max_error_share: what its rollout allows.
    """

    status: ModelStatus
    versions: Sequence[ModelVersion]
    ledger: Sequence[LedgerRow]
    served: Served
    traffic: Traffic
    max_error_share: float


def page(
    status: Status, holder: Holder | None, models: Sequence[ModelFacts], now: datetime
) -> PageView:
    """The page at a time; ``holder`` is who runs the loop."""
    urls = sorted({worker.url for worker in status.workers})
    return PageView(
        home=str(status.home),
        control=_control(holder, now) if holder else None,
        models=tuple(_model(known, status, urls, now) for known in models),
        workers=tuple(worker_view(worker, now) for worker in status.workers),
    )


def _control(holder: Holder, now: datetime) -> ControlView:
    try:
        since = when(datetime.fromisoformat(holder.started_at), now)
    except (ValueError, TypeError):  # the lock's file is being written
        since = None
    return ControlView(
        role=holder.role, process=f"process {holder.pid} on {holder.host}", since=since
    )


def _model(known: ModelFacts, status: Status, urls: Sequence[str], now: datetime) -> ModelView:
    model, versions = known.status, known.versions
    back_to = good_standby(model, versions)
    application = "" if model.application == model.model else f"{model.application}, "
    return ModelView(
        name=model.model,
        subtitle=f"{application}{many(len(versions), 'version')}",
        champion=_champion(model.champion, known.served, now) if model.champion else None,
        hint=hint(model, versions, workers=len(status.workers), home=status.home),
        facts=facts(model, versions, now),
        traffic_rows=tuple(
            traffic_row(version, max_error_share=known.max_error_share)
            for version in known.traffic.versions
        ),
        silence=None if known.traffic.versions else _silence(model, urls),
        traffic=known.traffic,
        versions=versions_view(model, versions, status.home, now),
        ledger=tuple(ledger_line(row, model.model, now) for row in reversed(known.ledger)),
        back_to=label(back_to.name) if back_to else None,
        rollout=rollout_view(model.rollout, now) if model.rollout else None,
    )


def _champion(version: ModelVersion, served: Served, now: datetime) -> ChampionView:
    current = served.version == version.name
    return ChampionView(
        label=label(version.name),
        state=str(version.state),
        tone=tone_of(version.state),
        family=version.family,
        since=when(served.since, now) if current and served.since else None,
        because=shortened(served.because) if current else "",
        by=served.by if current else "",
    )


def _silence(model: ModelStatus, urls: Sequence[str]) -> Hint | None:
    if model.champion is None or not urls:
        return None
    path = "/v1/recommendations/somebody?k=5" if model.application == "games" else "/openapi.json"
    text = "Nothing was asked in the last 15 minutes. Try it:"
    return Hint(text=text, command=f"curl '{urls[0]}{path}'")
