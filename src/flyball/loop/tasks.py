"""The pipeline's tasks: each a step of the loop, from JSON to JSON, safe to do again.

Workflows hand these on through their database, so that what goes in and comes out is plain data.
Each is idempotent by what it is asked for: a second time it finds its work done and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from flyball.domain.data import DatasetVersion
from flyball.domain.deployment import FINAL, Deployment, Phase
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.validation import Decision
from flyball.errors import DeploymentError, StaleWrite
from flyball.loop.parts import Parts
from flyball.loop.upkeep import announce
from flyball.steps import deploy as deploying
from flyball.steps.desk import Desk
from flyball.steps.origin import INCOMING, Origin
from flyball.steps.train import train as train_step
from flyball.steps.validate import validate as validate_step

_FOLLOWED = FINAL | {Phase.BAKING, Phase.ROLLING}
"""A deployment is followed until it is in one of these: a rolling one is the controller's."""

Plain: TypeAlias = dict[str, Any]
Wait: TypeAlias = Callable[[], None]
"""Returns after a short while; what a task does between two looks at the workers."""


def desk(parts: Parts, model: str, actor: str, *, since: datetime | None = None) -> Desk:
    """The rollout verbs' desk for a model; ``since`` is when this process began to look."""
    return Desk(
        records=parts.records,
        target=parts.target,
        events=parts.events,
        clock=parts.clock,
        rollout=parts.model(model).rollout,
        actor=actor,
        since=since,
    )


def ingest(parts: Parts, model: str, request: Mapping[str, Any], actor: str) -> Plain:
    """One source into the model's dataset.

    Args:
        request: ``location``, and if given ``batch_id`` and ``accept``.
    """
    from flyball.steps.ingest import Ingest  # brings polars and scipy: not every process needs them

    ingested = Ingest(
        model=model,
        schemas=parts.schemas(model),
        limits=parts.model(model).gates,
        pseudonyms=parts.pseudonyms,
        sources=parts.sources,
        datasets=parts.datasets,
        records=parts.records,
        clock=parts.clock,
        actor=actor,
        scratch=parts.scratch(),
    )
    done = ingested(
        request["location"],
        batch_id=request.get("batch_id"),
        accept=bool(request.get("accept")),
    )
    return {
        "batch": done.batch.id,
        "dataset": done.dataset.id,
        "new": done.new,
        "note": done.note,
    }


def tidy(parts: Parts, locations: Sequence[str]) -> None:
    """Remove what was put into the home only to be ingested: standard input, repaired rows."""
    incoming = parts.home / INCOMING
    for location in locations:
        path = Path(Origin.of(location).location)
        if path.parent == incoming:
            path.unlink(missing_ok=True)


def train(parts: Parts, model: str, request: Mapping[str, Any], actor: str) -> Plain:
    """A candidate from a dataset version (the newest unless ``request`` names one)."""
    data = request.get("data")
    dataset = parts.records.get(DatasetVersion, f"{model}/{data}") if data else None
    done = train_step(
        model,
        application=parts.application(model),
        data=dataset,
        settings=parts.model(model),
        records=parts.records,
        datasets=parts.datasets,
        blobs=parts.blobs,
        tracker=parts.tracker,
        executor=parts.executor,
        clock=parts.clock,
        scratch=parts.scratch(),
        study_url=parts.study_url(),
        actor=actor,
        trials=request.get("trials"),
        timeout_s=request.get("timeout_s"),
    )
    return {"version": done.version.id, "run": done.run.id, "new": done.new}


def validate(parts: Parts, version_id: str, actor: str) -> Plain:
    """The report on a candidate, and the move that follows from it."""
    version = parts.records.get(ModelVersion, version_id)
    report = validate_step(
        version,
        application=parts.application(version.model),
        checks=parts.checks(version.model),
        settings=parts.model(version.model),
        records=parts.records,
        datasets=parts.datasets,
        blobs=parts.blobs,
        executor=parts.executor,
        target=parts.target,
        clock=parts.clock,
        actor=actor,
        scratch=parts.scratch(),
    )
    if report.decision is Decision.REJECT:
        announce(parts, version.model)  # it is no challenger any more
    return {"report": report.id, "decision": str(report.decision)}


def deploy(
    parts: Parts, version_id: str, *, actor: str, again: bool, wait: Wait, strategy: str = ""
) -> Plain:
    """A version into service, followed until its bake or the first step of its rollout begins.

    Args:
        again: deploy also a version that was deployed before and does not serve now (an
            operator's wish); the pipeline does not.
        strategy: see ``steps.deploy.begin``.

    Raises:
        DeploymentError: it could not be deployed; the version before goes on serving.
    """
    version = parts.records.get(ModelVersion, version_id)
    bench = desk(parts, version.model, actor, since=parts.clock.now())
    settled = _settled(bench, version, again=again)
    if settled is not None:
        announce(parts, version.model)
        return {"deployment": settled.id, "phase": str(settled.phase), "new": False}
    with parts.target.at_least_one_worker():
        deployment = deploying.begin(bench, version, strategy=strategy)
        deployment = _followed(bench, deployment, wait)
    while deployment.phase not in _FOLLOWED:
        with parts.target.at_least_one_worker():
            deployment = _followed(bench, deployment, wait)
    if deployment.phase is Phase.FAILED:
        raise DeploymentError(f"{version_id} was not deployed: {deployment.detail}")
    announce(parts, version.model)
    return {"deployment": deployment.id, "phase": str(deployment.phase), "new": True}


def _settled(bench: Desk, version: ModelVersion, *, again: bool) -> Deployment | None:
    """The deployment that already answers the wish: it serves, is on its way, or ended badly."""
    past = [
        deployment
        for deployment in bench.records.find(Deployment, model=version.model)
        if deployment.version == version.name
    ]
    if not past or past[-1].phase in (Phase.LOADING, Phase.SWITCHING):
        return None
    if past[-1].phase is Phase.ROLLING:
        return past[-1]
    serves = bench.route(version.model).champion == version.name
    return past[-1] if serves or not again else None


def _followed(bench: Desk, deployment: Deployment, wait: Wait) -> Deployment:
    """The deployment as far as it comes while there are workers.

    One that was killed looks alive for some seconds. Once it is missed and nobody is left, another
    must be found before this can go on.
    """
    while deployment.phase not in _FOLLOWED and bench.target.workers():
        try:
            after = deploying.advance(bench, deployment)
        except StaleWrite:  # the controller moved it first
            after = bench.records.get(Deployment, deployment.id)
        if after == deployment:
            wait()
        deployment = after
    return deployment
