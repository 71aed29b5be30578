"""A search over toy families that learns fast: families in a row, coverage, and combinations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flyball.domain.training import SearchBudget, Trial
from flyball.ports import Evaluation, Prepared
from flyball.steps.search import SearchOutcome, search
from flyball.testing.toy import MODELS, Average, Curve, Mean, ToyApplication, ToyFold, a_frame


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


class SteepConfig(BaseModel):
    """A bent line; its default lies outside of what is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    degree: int = 3
    penalty: float | None = Field(default=None)

    @classmethod
    def suggest(cls, trial: Any) -> SteepConfig:
        return cls(penalty=trial.suggest_float("penalty", 0.1, 10.0))


class Steep(Curve):
    """A cubic, held back or not."""

    family: ClassVar[str] = "steep"
    Config: ClassVar[type[BaseModel]] = SteepConfig

    @classmethod
    def fit(cls, data: Any, config: Any) -> Any:
        penalty = config.penalty or 1e-9
        return super().fit(data, config.model_copy(update={"penalty": penalty}))


FAMILIES: dict[str, Any] = {**MODELS, "average": Average}


@dataclass
class Families(ToyApplication):
    """The toy with the families, the reasons to skip some, and the lives it is given."""

    families: tuple[str, ...] = ("mean", "curve", "average")
    skipped: Mapping[str, str] = field(default_factory=dict)
    lives: float = float("inf")

    def prepare(self, tables: Any, *, seed: int) -> Prepared:
        return replace(super().prepare(tables, seed=seed), skipped=self.skipped)

    def evaluate(self, model: Any, fold: ToyFold) -> Evaluation:
        if self.lives <= 0:
            raise Killed
        self.lives -= 1
        found = super().evaluate(model, fold)
        coverage = float(len(model.weights))
        return replace(found, metrics={**found.metrics, "coverage@10": coverage})


def searched(
    where: Path,
    *,
    application: ToyApplication | None = None,
    models: Mapping[str, Any] = FAMILIES,
    trials: int = 8,
    timeout_s: float = 600.0,
    rows: int = 240,
    progress: Callable[[Trial], None] = lambda trial: None,
    **more: Any,
) -> SearchOutcome:
    app = application or Families()
    return search(
        app,
        models,
        app.prepare({"points": a_frame(rows)}, seed=7),
        seed=7,
        budget=SearchBudget(trials=trials, timeout_s=timeout_s),
        study_url=f"sqlite:///{where / 'study.sqlite'}",
        study_name="toy",
        progress=progress,
        **more,
    )


def timeless(outcome: SearchOutcome) -> SearchOutcome:
    """Without what each trial cost, which differs from run to run."""
    return replace(outcome, trials=tuple(replace(t, seconds=0.0) for t in outcome.trials))


def tried(outcome: SearchOutcome) -> list[tuple[str, str]]:
    return [(trial.family, str(trial.origin)) for trial in outcome.trials]


__all__ = ["FAMILIES", "Families", "Killed", "Mean", "Steep", "searched", "timeless", "tried"]
