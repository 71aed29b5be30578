"""Two operators who decide about one rollout at the same instant, each with their own command."""

from __future__ import annotations

import multiprocessing
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from gameday_race import PATIENCE_S, WON, settings_of

import console_home as homes
from console_home import NEW, TRIED
from flyball import Flyball
from flyball.domain.deployment import Deployment, Phase
from flyball.domain.routing import Route
from flyball.errors import FlyballError

MODELS = [f"model-{number}" for number in range(10)]
ORDERS = ("promote", "abort")
ENDS = {"promote": (Phase.SWITCHING, TRIED.name), "abort": (Phase.ROLLED_BACK, NEW.name)}


def decide(home: Path, order: str, start: Barrier, told: Queue) -> None:
    """Give this order about each model's rollout."""
    verbs = Flyball(config=settings_of(home, MODELS), actor=f"operator:{order}")
    verbs.status()  # everything is imported and open before the first race
    act = {"promote": verbs.promote, "abort": verbs.abort}[order]
    for model in MODELS:
        start.wait(PATIENCE_S)
        try:
            act(model, "1.2.0", reason=f"{order}, of course")
            told.put((model, order, WON, ""))
        except FlyballError as error:
            told.put((model, order, type(error).__name__, str(error)))


@pytest.mark.timeout(600)
def test_exactly_one_decides_and_the_other_is_told_who(tmp_path):
    home = tmp_path / "home"
    verbs = homes.flyball(home, MODELS)
    for model in MODELS:
        homes.furnish(verbs, model)
        homes.roll(verbs, model)
    outcomes = _raced(home)
    for model, found in outcomes.items():
        won = [order for order, (outcome, _) in found.items() if outcome == WON]
        assert len(won) == 1, found
        [(lost, said)] = [end for end in found.values() if end[0] != WON]
        assert lost in {"StaleWrite", "DeploymentError"}
        assert "games" not in said
        assert f"flyball status {model}" in said or f"{model}/3" in said
        phase, champion = ENDS[won[0]]
        assert verbs.platform.records.get(Deployment, f"{model}/3").phase is phase
        assert verbs.platform.records.get(Route, model).champion == champion
        reasons = {row.entry.reason for row in verbs.ledger(model)}
        assert f"{won[0]}, of course" in reasons
        assert not {f"{order}, of course" for order in ORDERS if order != won[0]} & reasons
    verbs.verify_ledger()


def _raced(home: Path) -> dict[str, dict[str, tuple[str, str]]]:
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(2), context.Queue()
    racers = [context.Process(target=decide, args=(home, order, start, told)) for order in ORDERS]
    for process in racers:
        process.start()
    outcomes: dict[str, dict[str, tuple[str, str]]] = {model: {} for model in MODELS}
    for _ in range(2 * len(MODELS)):
        model, order, outcome, said = told.get(timeout=PATIENCE_S)
        outcomes[model][order] = (outcome, said)
    for process in racers:
        process.join(PATIENCE_S)
    return outcomes
