"""A shop whose verbs answer what a test says, behind the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from flyball.answers import Deployed, Ingested, ModelStatus, Status, Trained, Turn, Update
from flyball.cli.app import app
from flyball.testing.builders import (
    a_batch,
    a_dataset,
    a_deployment,
    a_report,
    a_route,
    a_run,
    a_version,
    a_worker,
)


class ShopVerbs:
    """Verbs that answer (or raise) what they were told to, and remember what they were asked."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = {"page": None, **answers}
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def close(self) -> None:
        """Nothing was opened."""

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb.startswith("_") or verb not in self.answers:
            raise AttributeError(verb)

        def carried_out(*arguments: Any, **options: Any) -> Any:
            progress = options.pop("progress", None)
            self.asked.append((verb, arguments, options))
            if progress is not None:
                progress(Update(stage="train", detail="from yesterday"))
                progress(Update(stage="train", detail="1 of at most 2 trials", done=1, total=2))
                progress(Update(stage="deploy", detail="after a while"))
            answer = self.answers[verb]
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return carried_out


@dataclass
class Ended:
    """How one command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shop:
    """Runs command lines against verbs with given answers."""

    answers: dict[str, Any] = field(default_factory=dict)
    homes: list[Path | None] = field(default_factory=list)
    verbs: ShopVerbs | None = None

    def __call__(self, *arguments: str, env: dict[str, str] | None = None) -> Ended:
        def opened(home: Path | None) -> ShopVerbs:
            self.homes.append(home)
            self.verbs = ShopVerbs(self.answers)
            return self.verbs

        environment = {"FLYBALL_HOME": None, "NO_COLOR": None, **(env or {})}
        found = CliRunner().invoke(app, arguments, obj=opened, env=environment)
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exc_info
        return Ended(found.exit_code, found.stdout, found.stderr)


def a_turn(**fields: Any) -> Turn:
    """A turn that brought a version into service."""
    defaults: dict[str, Any] = {
        "ingested": (Ingested(batch=a_batch(), dataset=a_dataset(), new=True),),
        "trained": Trained(version=a_version(), run=a_run(), new=True),
        "report": a_report(),
        "deployed": Deployed(deployment=a_deployment(), new=True),
    }
    return Turn(**(defaults | fields))


def a_status(**fields: Any) -> Status:
    """An installation with one model that serves."""
    model = ModelStatus(
        model="games",
        application="games",
        route=a_route(),
        champion=a_version(),
        deployment=a_deployment(),
        run=a_run(),
        report=a_report(),
        dataset=a_dataset(),
        versions=1,
    )
    defaults: dict[str, Any] = {
        "home": Path("/srv/shop"),
        "control": "`flyball up` (process 7 on host, since 2026-03-01)",
        "workers": (a_worker(),),
        "models": (model,),
    }
    return Status(**(defaults | fields))
