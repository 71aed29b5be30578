"""A home with a history: two good versions, the second one serving, the first one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rollout_records as rollouts
from flyball.domain.data import EMPTY
from flyball.domain.deployment import Deployment, Phase, Shift
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, Slot
from flyball.domain.traffic import Window
from flyball.domain.validation import ValidationReport
from flyball.ports import Change
from flyball.settings import ModelSettings, Settings
from flyball.testing import builders as make
from flyball.verbs import Flyball

OLD = make.a_version("1.0.0", state=State.PRODUCTION)
NEW = make.a_version("1.1.0", state=State.MONITORING, metrics={"ndcg@10": 0.53})
TRIED = rollouts.CHALLENGER
NOW = datetime.now(UTC).replace(microsecond=0)


def flyball(home: Path, models: Sequence[str] = ("games", "other")) -> Flyball:
    """The verbs on a home with these models."""
    settings = Settings(home=home, models={model: ModelSettings() for model in models})
    return Flyball(config=settings, actor="operator:ada")


def furnish(installed: Flyball, model: str = "games") -> None:
    """Write the history of one model."""
    route = make.a_route(
        model=model,
        generation=3,
        slots={Slot.BLUE: OLD.name, Slot.GREEN: NEW.name},
        live=Slot.GREEN,
        salt=f"{model}/2",
    )
    data = make.a_dataset(model=model)
    values = [
        make.a_batch(model=model),
        data,
        make.a_dataset(model=model, version=EMPTY, batches=(), files={}, rows=0, head=data.version),
        make.a_run(model=model),
        replace(OLD, model=model),
        replace(NEW, model=model),
        _report(installed, model),
        *_deployments(model),
        route,
    ]
    installed.platform.records.commit([Change(value=value) for value in values], _entries(model))


def roll(installed: Flyball, model: str = "games", **fields: Any) -> Deployment:
    """Write that 1.2.0 answers a quarter of the users since a minute, beside 1.1.0.

    Args:
        fields: of the deployment, besides.
    """
    records = installed.platform.records
    began = NOW - timedelta(minutes=1)
    shifts = (
        Shift(share=0.05, at=began - timedelta(hours=1), applied_at=began - timedelta(hours=1)),
        Shift(share=0.25, at=began, applied_at=began),
    )
    rolling = rollouts.a_rollout(
        model=model, started_at=shifts[0].at, moved_at=began, shifts=shifts, displaced=OLD.name,
        **fields,
    )  # fmt: skip
    baked = records.find(Deployment, model=model)[-1]
    route = records.get(Route, model)
    slots = {Slot.BLUE: TRIED.name, Slot.GREEN: NEW.name}
    shared = replace(
        route, generation=6, slots=slots, challenger_share=0.25, salt=rolling.id, slow_above_s=0.05
    )
    new = records.get(ModelVersion, f"{model}/{NEW.name}")
    records.commit(
        [
            Change(value=replace(TRIED, model=model)),
            Change(value=replace(new, state=State.PRODUCTION), replacing=new),
            Change(value=replace(baked, phase=Phase.DONE), replacing=baked),
            Change(value=rolling),
            Change(value=shared, replacing=route),
            Change(value=rollouts.a_standing(model=model, deployment=rolling.id, at=NOW)),
        ]
    )
    return rolling


def _report(installed: Flyball, model: str) -> ValidationReport:
    with TemporaryDirectory() as directory:
        page = Path(directory)
        (page / "report.html").write_text("<!doctype html><title>Report</title><h1>Promoted</h1>")
        (page / "report.json").write_text("{}")
        stored = installed.platform.blobs.put(page)
    return make.a_report(model=model, version=NEW.name, champion=OLD.name, artifact=stored)


def _deployments(model: str) -> list[Deployment]:
    done = make.a_deployment(model=model, phase=Phase.DONE, started_at=NOW - timedelta(days=2))
    baking = make.a_deployment(
        model=model,
        version=NEW.name,
        ordinal=2,
        replaces=OLD.name,
        phase=Phase.BAKING,
        started_at=NOW - timedelta(hours=6),
        moved_at=NOW - timedelta(hours=6),
        bake_until=NOW + timedelta(hours=18),
    )
    return [done, baking]


def _entries(model: str) -> list[Entry]:
    tested = make.an_entry(model=model, subject=f"{model}/{OLD.name}", at=NOW - timedelta(days=2))
    routes = ((1, "", OLD.name, "tested"), (2, OLD.name, NEW.name, "loaded by 1 worker"))
    return [
        tested,
        *(
            make.an_entry(
                at=NOW - timedelta(hours=8 - 2 * ordinal),
                action="route",
                model=model,
                subject=f"{model}/{ordinal}",
                before=before,
                after=after,
                reason=reason,
            )
            for ordinal, before, after, reason in routes
        ),
    ]


def windows(
    model: str = "games", *, version: str = NEW.name, seconds: int = 30, errors: int = 0
) -> list[Window]:
    """Ten requests a second in the last seconds before now."""
    now = datetime.now(UTC).replace(microsecond=0)
    return [
        make.a_window(10, errors, model=model, version=version, start=now - timedelta(seconds=back))
        for back in range(1, seconds + 1)
    ]
