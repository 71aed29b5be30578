"""A page in the making, for the tests of what it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from flyball.answers import ModelStatus, Served, Status
from flyball.console.facts import Fact
from flyball.console.traffic import series
from flyball.console.views import ModelFacts, ModelView, PageView, page
from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Slot
from flyball.domain.traffic import Window
from flyball.testing import builders as make
from flyball.testing.builders import NOON

HOME = Path("/shop/.flyball")
OLD = make.a_version("1.0.0", state=State.PRODUCTION)
NEW = make.a_version("1.1.0", state=State.MONITORING)
BOTH = make.a_route(slots={Slot.BLUE: OLD.name, Slot.GREEN: NEW.name}, live=Slot.GREEN)
LATER = NOON + timedelta(hours=6)


def a_status(**fields: Any) -> ModelStatus:
    """1.1.0 bakes, 1.0.0 stands by."""
    baking = make.a_deployment(
        version=NEW.name, phase=Phase.BAKING, bake_until=NOON + timedelta(hours=24)
    )
    defaults: dict[str, Any] = {
        "model": "games",
        "application": "games",
        "route": BOTH,
        "champion": NEW,
        "deployment": baking,
        "run": make.a_run(version=NEW.name),
        "report": make.a_report(version=NEW.name),
        "dataset": make.a_dataset(rows=1_234_567),
        "versions": 2,
    }
    return ModelStatus(**(defaults | fields))


EMPTY: dict[str, Any] = dict.fromkeys(
    ("route", "champion", "deployment", "run", "report", "dataset")
)


def shown(
    status: ModelStatus | None = None,
    *,
    versions: Sequence[ModelVersion] = (OLD, NEW),
    windows: Sequence[Window] = (),
    workers: Sequence[Any] = (),
    **facts: Any,
) -> PageView:
    """The page, six hours after noon."""
    found = status or a_status()
    defaults: dict[str, Any] = {
        "status": found,
        "versions": versions,
        "ledger": (),
        "served": Served(
            model="games",
            at=LATER,
            version=NEW.name,
            since=NOON,
            because=f"{NEW.name} loaded by 2 workers",
            by="operator:ada",
            ledger_row=7,
        ),
        "traffic": series("games", windows, until=LATER, minutes=15),
        "max_error_share": 0.01,
    }
    whole = Status(home=HOME, control="", workers=tuple(workers), models=(found,))
    return page(whole, None, [ModelFacts(**(defaults | facts))], LATER)


def games(*args: Any, **fields: Any) -> ModelView:
    return shown(*args, **fields).models[0]


def fact(model: ModelView, name: str) -> Fact:
    return next(fact for fact in model.facts if fact.name == name)
