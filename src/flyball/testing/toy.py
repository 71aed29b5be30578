"""A toy application: what is y at x? Real models, real files, milliseconds a fit.

For tests of the steps and checks that should not wait for a recommender. It implements
``flyball.ports.Application`` but for ``routes``, which nothing here serves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from flyball.domain.schema import Column, ColumnType, Schema
from flyball.errors import ArtifactCorrupt, ConfigurationError, NotFound, TrainingError
from flyball.ports import Evaluation, Host, Model, Prepared, Suggest, Tables

if TYPE_CHECKING:
    from fastapi import APIRouter

OBJECTIVE = "closeness"


def a_frame(rows: int = 120, *, seed: int = 1) -> pl.DataFrame:
    """Rows of a noisy cubic."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2.0, 2.0, rows)
    return pl.DataFrame({"x": x, "y": x**3 - 2.0 * x + rng.normal(0.0, 0.3, rows)})


@dataclass(frozen=True)
class Points:
    """Shape (n,) each."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class ToyFold:
    """What to learn from, and what to be judged by."""

    train: Points
    test: Points


class MeanConfig(BaseModel):
    """Nothing to tune."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:  # noqa: ARG003 - the signature of every Config
        """The one configuration."""
        return cls()


class Mean:
    """Always the mean: the baseline."""

    family: ClassVar[str] = "mean"
    version: ClassVar[int] = 1
    Config: ClassVar[type[BaseModel]] = MeanConfig

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    @classmethod
    def fit(cls, data: Points, config: Any) -> Self:  # noqa: ARG003
        """Take the mean. Raises TrainingError for no points."""
        if not len(data.y):
            raise TrainingError("there are no points to learn from; add rows")
        return cls(np.array([data.y.mean()]))

    def predict(self, queries: np.ndarray) -> np.ndarray:
        """Values at ``queries``, shape (n,)."""
        powers: np.ndarray = np.vander(queries, len(self.weights), increasing=True)
        values: np.ndarray = powers @ self.weights
        return values

    def save(self, directory: Path) -> None:
        """Write ``weights.npy``."""
        directory.mkdir(parents=True, exist_ok=True)
        np.save(directory / "weights.npy", self.weights, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Open what ``save`` wrote. Raises ArtifactCorrupt."""
        try:
            return cls(np.load(directory / "weights.npy", mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise ArtifactCorrupt(f"{directory} holds no weights: {error}; train again") from error


class CurveConfig(BaseModel):
    """How bent the curve may be, and how strongly it is held back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    degree: int = Field(default=1, ge=1, le=5)
    penalty: float = Field(default=1.0, gt=0.0)

    @classmethod
    def suggest(cls, trial: Suggest) -> Self:
        """Degree to 5, penalty in [0.001, 100] on a log scale."""
        return cls(
            degree=trial.suggest_int("degree", 1, 5),
            penalty=trial.suggest_float("penalty", 1e-3, 100.0, log=True),
        )


class Curve(Mean):
    """A polynomial, by ridge regression."""

    family: ClassVar[str] = "curve"
    Config: ClassVar[type[BaseModel]] = CurveConfig

    @classmethod
    def fit(cls, data: Points, config: Any) -> Self:
        """Solve the normal equations. Raises TrainingError for no points."""
        if not len(data.y):
            raise TrainingError("there are no points to learn from; add rows")
        powers = np.vander(data.x, config.degree + 1, increasing=True)
        gram = powers.T @ powers + config.penalty * np.eye(config.degree + 1)
        return cls(np.linalg.solve(gram, powers.T @ data.y))


MODELS: dict[str, type[Model]] = {"mean": Mean, "curve": Curve}


class AverageConfig(BaseModel):
    """The families that are averaged, with their hyperparameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: dict[str, dict[str, Any]]

    @classmethod
    def combining(cls, best: Mapping[str, Any]) -> Self:
        """Of all that are given. Raises TrainingError for a part of an unknown family."""
        if strangers := set(best) - set(MODELS):
            raise TrainingError(f"an average cannot be made of {', '.join(sorted(strangers))}")
        return cls(parts={name: config.model_dump(mode="json") for name, config in best.items()})


class Average(Mean):
    """The average of other families: made by a search, never drawn."""

    family: ClassVar[str] = "average"
    Config: ClassVar[type[BaseModel]] = AverageConfig

    @classmethod
    def fit(cls, data: Points, config: Any) -> Self:
        """Fit each part; the mean of polynomials is one."""
        total = np.zeros(6)
        for name, settings in config.parts.items():
            model = MODELS[name]
            fitted: Any = model.fit(data, model.Config.model_validate(settings))
            total[: len(fitted.weights)] += fitted.weights
        return cls(total / len(config.parts))


class ToyApplication:
    """Predicts y from x."""

    name = "toy"
    version = 1
    schemas: tuple[Schema, ...] = (
        Schema(
            name="points",
            columns=(
                Column(name="x", type=ColumnType.NUMBER),
                Column(name="y", type=ColumnType.NUMBER),
            ),
            key=("x", "y"),
        ),
    )
    objective = OBJECTIVE
    families: tuple[str, ...] = ("mean", "curve")
    checks: tuple[str, ...] = ("artifact", "accuracy", "latency", "integration")

    def prepare(self, tables: Tables, *, seed: int) -> Prepared:
        """A fifth held out; the search on a quarter of the rest, then on the whole of it."""
        frame = tables["points"]
        if frame.height < 20:
            raise TrainingError(f"{frame.height} rows are too few; at least 20 are needed")
        order = np.random.default_rng(seed).permutation(frame.height)
        x, y = frame["x"].to_numpy()[order], frame["y"].to_numpy()[order]
        cut = frame.height // 5
        final = _fold(x, y, cut)
        quarter = max(10, (len(x) - cut) // 4)
        small = _fold(x[cut : cut + quarter], y[cut : cut + quarter], quarter // 5)
        whole = _fold(x[cut:], y[cut:], (len(x) - cut) // 5)
        split = {"kind": "random", "share": 0.2, "seed": seed}
        return Prepared(split=split, search=(small, whole), final=final, baseline="mean")

    def evaluate(self, model: Model, fold: ToyFold) -> Evaluation:
        """``closeness``: 1 / (1 + squared error), by point."""
        errors = model.predict(fold.test.x) - fold.test.y
        units = 1.0 / (1.0 + errors**2)
        return Evaluation(metrics={OBJECTIVE: float(units.mean())}, units={OBJECTIVE: units})

    def package(
        self,
        model: Model,
        prepared: Prepared,  # noqa: ARG002 - the port's signature
        tables: Tables,
        directory: Path,
    ) -> None:
        """Write the model, its family, and how many rows there were."""
        model.save(directory / "model")
        about = {"family": model.family, "rows": tables["points"].height}
        (directory / "toy.json").write_text(json.dumps(about))

    def evaluate_artifact(self, directory: Path, fold: ToyFold) -> Evaluation:
        """Judge a packaged model."""
        return self.evaluate(self.open(directory).model, fold)

    def open(self, directory: Path) -> ToyServable:
        """Load an artifact. Raises ArtifactCorrupt."""
        try:
            family = json.loads((directory / "toy.json").read_text())["family"]
        except (OSError, ValueError) as error:
            raise ArtifactCorrupt(f"{directory}: {error}; train again") from error
        return ToyServable(MODELS[family].load(directory / "model"))

    def read_rules(self, document: Mapping[str, Any]) -> None:
        """It has none.

        Raises:
            ConfigurationError: the document holds one.
        """
        if document:
            raise ConfigurationError("toy has no business rules")

    def routes(self, host: Host) -> APIRouter:  # noqa: ARG002
        """None: it is never served."""
        from fastapi import APIRouter

        return APIRouter()

    def scoring_probe(self, servable: Any) -> Callable[[], None]:
        """Predict at zero."""
        query = np.zeros(1)

        def probe() -> None:
            servable.model.predict(query)

        return probe

    def exercise(self, url: str) -> Iterator[tuple[str, bool, str]]:
        """Whether it was given a URL at all."""
        yield "has an address", url.startswith("http://"), url

    def experiment(
        self,
        name: str,
        model: type[Model],  # noqa: ARG002 - the port's signature
        config: Any,  # noqa: ARG002
        tables: Tables,  # noqa: ARG002
        *,
        seed: int,  # noqa: ARG002
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> Mapping[str, Any]:
        """It has none.

        Raises:
            NotFound: always.
        """
        raise NotFound(f"toy has no experiment {name!r}; it has none at all")


@dataclass(frozen=True)
class ToyServable:
    """A loaded model."""

    model: Model

    def smoke(self) -> int:
        """One prediction."""
        self.model.predict(np.zeros(1))
        return 1


def _fold(x: np.ndarray, y: np.ndarray, held_out: int) -> ToyFold:
    return ToyFold(
        train=Points(x[held_out:], y[held_out:]), test=Points(x[:held_out], y[:held_out])
    )
