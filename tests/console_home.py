"""A home with a history: two good versions, the second one serving, the first one beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import State
from flyball.domain.routing import Slot, SlotPhase, SlotStatus, WorkerStatus
from flyball.domain.traffic import Window
from flyball.ports import Change
from flyball.settings import ModelSettings, Settings
from flyball.testing import builders as make
from flyball.verbs import Flyball

OLD = make.a_version("1.0.0", state=State.PRODUCTION)
NEW = make.a_version("1.1.0", state=State.MONITORING, metrics={"ndcg@10": 0.53})
NOW = datetime.now(UTC).replace(microsecond=0)


def flyball(home: Path) -> Flyball:
    """The verbs on a home, whose settings are the defaults but for a second model."""
    models = {"games": ModelSettings(), "other": ModelSettings()}
    return Flyball(config=Settings(home=home, models=models), actor="operator:ada")


def furnish(home: Path) -> Flyball:
    """Write the history of ``games``; ``other`` stays empty."""
    installed = flyball(home)
    page = home.parent / "report"
    page.mkdir(parents=True)
    (page / "report.html").write_text("<!doctype html><title>Report</title><h1>Promoted</h1>")
    (page / "report.json").write_text("{}")
    report = make.a_report(
        version=NEW.name, champion=OLD.name, artifact=installed.platform.blobs.put(page)
    )
    route = make.a_route(
        generation=3, slots={Slot.BLUE: OLD.name, Slot.GREEN: NEW.name}, live=Slot.GREEN
    )
    done = make.a_deployment(phase=Phase.DONE, started_at=NOW - timedelta(days=2))
    baking = make.a_deployment(
        version=NEW.name,
        ordinal=2,
        replaces=OLD.name,
        phase=Phase.BAKING,
        started_at=NOW - timedelta(hours=6),
        moved_at=NOW - timedelta(hours=6),
        bake_until=NOW + timedelta(hours=18),
    )
    values = [make.a_batch(), make.a_dataset(), make.a_run(), OLD, NEW, report]
    entries = [
        make.an_entry(at=NOW - timedelta(days=2)),
        make.an_entry(action="route", subject=done.id, before="", after=OLD.name, reason="tested"),
        make.an_entry(
            at=NOW - timedelta(hours=6),
            action="route",
            subject=baking.id,
            before=OLD.name,
            after=NEW.name,
            reason="loaded by 1 worker(s)",
        ),
    ]
    changes = [Change(value=value) for value in (*values, done, baking, route)]
    installed.platform.records.commit(changes, entries)
    return installed


def worker(installed: Flyball, *, applied: int = 3) -> WorkerStatus:
    """A worker that is alive and holds both versions; its record."""
    slots = {
        "games/blue": SlotStatus(version=OLD.name, phase=SlotPhase.READY),
        "games/green": SlotStatus(version=NEW.name, phase=SlotPhase.READY),
    }
    now = datetime.now(UTC)
    found = make.a_worker(slots=slots, started_at=now, seen_at=now, applied={"games": applied})
    installed.platform.records.commit([Change(value=found)])
    return found


def windows(*, version: str = NEW.name, seconds: int = 30, errors: int = 0) -> list[Window]:
    """Ten requests a second in the last seconds before now."""
    now = datetime.now(UTC).replace(microsecond=0)
    return [
        make.a_window(10, errors, version=version, start=now - timedelta(seconds=back))
        for back in range(1, seconds + 1)
    ]
