"""The pipeline as durable workflows: ingest -> train -> validate -> deploy.

Nothing is decided here that the records do not decide: a workflow only hands on what one task
returned to the next. So a workflow that is lost, or run twice, does no harm.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

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


def register(parts: Parts, underway: Underway) -> None:
    """Declare the workflows and their steps to the engine, for one installation's parts."""
    carried = underway.carried(lambda: DBOS.workflow_id)
    between_looks = threading.Event()  # never set: its wait is the pause between two looks

    def pause() -> None:
        between_looks.wait(LOOK_EVERY_S)

    @DBOS.step(name="ingest")
    def ingest_one(model: str, location: str, batch_id: str | None, actor: str) -> Plain:
        return tasks.ingest(parts, model, location, batch_id, actor)

    @DBOS.step(name="train")
    def train_one(model: str, request: Mapping[str, Any], actor: str) -> Plain:
        return tasks.train(parts, model, request, actor)

    @DBOS.step(name="validate")
    def validate_one(version: str, actor: str) -> Plain:
        return tasks.validate(parts, version, actor)

    @DBOS.step(name="deploy")
    def deploy_one(version: str, actor: str, again: bool) -> Plain:
        return tasks.deploy(parts, version, actor=actor, again=again, wait=pause)

    @DBOS.workflow(name="ingest")
    @carried
    def ingest(request: Plain) -> Plain:
        model, actor = request["model"], request["actor"]
        done = [
            ingest_one(model, location, request.get("batch_id"), actor)
            for location in request["sources"]
        ]
        return {"batches": done}

    @DBOS.workflow(name="train")
    @carried
    def train(request: Plain) -> Plain:
        return train_one(request["model"], request, request["actor"])

    @DBOS.workflow(name="validate")
    @carried
    def validate(request: Plain) -> Plain:
        return validate_one(request["version"], request["actor"])

    @DBOS.workflow(name="deploy")
    @carried
    def deploy(request: Plain) -> Plain:
        return deploy_one(request["version"], request["actor"], True)

    @DBOS.workflow(name="run")
    @carried
    def run(request: Plain) -> Plain:
        model, actor = request["model"], request["actor"]
        batches = [ingest_one(model, location, None, actor) for location in request["sources"]]
        data = batches[-1]["dataset"].removeprefix(f"{model}/") if batches else None
        trained = train_one(model, {"data": data}, actor)
        report = validate_one(trained["version"], actor)
        turn = {"batches": batches, "train": trained, "validate": report, "deploy": None}
        if report["decision"] == Decision.PROMOTE:
            turn["deploy"] = deploy_one(trained["version"], actor, False)
        return turn
