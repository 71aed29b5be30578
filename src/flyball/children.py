"""What ``Executor`` children are asked to call, by name: each builds what one step needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flyball import plugins
from flyball.ports import Model


def fit_candidate(request: Mapping[str, Any]) -> Any:
    """In a child process: search, fit and package one candidate. See ``steps.train``."""
    from flyball.steps.train import FitRequest, fit_candidate

    asked = FitRequest(**request)
    models: dict[str, type[Model]] = {name: plugins.model(name) for name in asked.families}
    return fit_candidate(asked, application=plugins.application(asked.application), models=models)


def experiment(request: Mapping[str, Any]) -> Any:
    """In a child process: carry out an experiment. See ``steps.experiment``."""
    from flyball.steps.experiment import ExperimentRequest, carried_out

    asked = ExperimentRequest(**request)
    return carried_out(
        asked,
        application=plugins.application(asked.application),
        family=plugins.model(asked.family),
    )


def measure_scoring(request: Mapping[str, Any]) -> Any:
    """In a child process: time the scoring of an artifact. See ``checks.latency``."""
    from flyball.checks.latency import measure

    application = plugins.application(request["application"])
    return measure(application, Path(request["directory"]), requests=int(request["requests"]))
