"""The pipeline as durable workflows: ingest -> train -> validate -> deploy.

Nothing is decided here that the records do not decide: a workflow only hands on what one task
returned to the next. So a workflow that is lost, or run twice, does no harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from dbos import DBOS

from flyball.domain.validation import Decision
from flyball.loop import tasks
from flyball.loop.parts import Parts
from flyball.loop.tasks import Plain
from flyball.loop.underway import Underway

WORK = "flyball-work"
ROLLOUTS = "flyball-rollouts"
QUEUES = {"run": WORK, "ingest": WORK, "train": WORK, "validate": WORK, "deploy": ROLLOUTS}
"""The queue of each workflow. Work is done one at a time, because training takes every core;
rollouts mostly wait, so they do not wait for work."""

LOOK_EVERY_S = 0.05

Body: TypeAlias = Callable[..., object]


def register(parts: Parts, underway: Underway) -> None:
    """Declare the workflows and their steps to the engine, for one installation's parts."""
    _workflows(_steps(parts), underway.carried(lambda: DBOS.workflow_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    """The recorded steps: each is done once, however often its workflow is taken up again."""

    ingest: Callable[[str, Mapping[str, Any], str], Plain]
    tidy: Callable[[list[str]], None]
    train: Callable[[str, Mapping[str, Any], str], Plain]
    validate: Callable[[str, str], Plain]
    deploy: Callable[[str, str, bool, str], Plain]


def _steps(parts: Parts) -> _Steps:
    between_looks = threading.Event()  # never set: its wait is the pause between two looks

    def pause() -> None:
        between_looks.wait(LOOK_EVERY_S)

    @DBOS.step(name="ingest")
    def ingest_one(model: str, request: Mapping[str, Any], actor: str) -> Plain:
        return tasks.ingest(parts, model, request, actor)

    @DBOS.step(name="tidy")
    def tidy_up(locations: list[str]) -> None:
        tasks.tidy(parts, locations)

    @DBOS.step(name="train")
    def train_one(model: str, request: Mapping[str, Any], actor: str) -> Plain:
        return tasks.train(parts, model, request, actor)

    @DBOS.step(name="validate")
    def validate_one(version: str, actor: str) -> Plain:
        return tasks.validate(parts, version, actor)

    @DBOS.step(name="deploy")
    def deploy_one(version: str, actor: str, again: bool, strategy: str) -> Plain:
        return tasks.deploy(parts, version, actor=actor, again=again, wait=pause, strategy=strategy)

    return _Steps(
        ingest=ingest_one,
        tidy=tidy_up,
        train=train_one,
        validate=validate_one,
        deploy=deploy_one,
    )


def _workflows(step: _Steps, carried: Callable[[Body], Body]) -> None:
    @DBOS.workflow(name="ingest")
    @carried
    def ingest(request: Plain) -> Plain:
        return {"batches": _ingested(step, request)}

    @DBOS.workflow(name="train")
    @carried
    def train(request: Plain) -> Plain:
        return step.train(request["model"], request, request["actor"])

    @DBOS.workflow(name="validate")
    @carried
    def validate(request: Plain) -> Plain:
        return step.validate(request["version"], request["actor"])

    @DBOS.workflow(name="deploy")
    @carried
    def deploy(request: Plain) -> Plain:
        return step.deploy(request["version"], request["actor"], True, request.get("strategy", ""))

    @DBOS.workflow(name="run")
    @carried
    def run(request: Plain) -> Plain:
        model, actor = request["model"], request["actor"]
        batches = _ingested(step, request)
        data = batches[-1]["dataset"].removeprefix(f"{model}/") if batches else None
        trained = step.train(model, {"data": data}, actor)
        report = step.validate(trained["version"], actor)
        turn = {"batches": batches, "train": trained, "validate": report, "deploy": None}
        if report["decision"] == Decision.PROMOTE:
            turn["deploy"] = step.deploy(trained["version"], actor, False, "")
        return turn


def _ingested(step: _Steps, request: Plain) -> list[Plain]:
    """Every source of a request, one after the other; tidied up whatever becomes of them."""
    shared = {"batch_id": request.get("batch_id"), "accept": request.get("accept")}
    try:
        return [
            step.ingest(request["model"], {"location": location, **shared}, request["actor"])
            for location in request["sources"]
        ]
    finally:
        step.tidy(request["sources"])
