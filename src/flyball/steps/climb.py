"""One configuration, fitted and measured on folds of rising fidelity."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flyball.errors import ConfigurationError, TrainingError
from flyball.ports import Application, Evaluation, Model, Prepared


@dataclass(frozen=True, slots=True)
class Top:
    """What a configuration reached on the last fold.

    Attributes:
        value: the objective.
        measures: every metric.
        units: shape (n,), the objective by unit, float32; None where it is no mean over units.
    """

    value: float
    measures: dict[str, float]
    units: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Climb:
    """Fits configurations on an application's search folds."""

    application: Application
    prepared: Prepared
    objective: str

    @property
    def last(self) -> int:
        """The number of the last fold."""
        return len(self.prepared.search) - 1

    def __call__(
        self,
        model: type[Model],
        config: Any,
        *,
        report: Callable[[int, float], bool],
        start: int = 0,
    ) -> Top | str:
        """Climb from fold ``start`` to the last.

        Args:
            report: told the number of each fold and the objective there; True: not worth going on.

        Returns:
            what was reached; in words, where it was stopped before.

        Raises:
            TrainingError: it cannot be fitted, or what it is worth is not a number.
            ConfigurationError: the application does not measure the objective.
        """
        top: Top | None = None
        for rung in range(start, len(self.prepared.search)):
            fold = self.prepared.search[rung]
            fitted = model.fit(fold.train, config)
            top = self._reached(fitted, self.application.evaluate(fitted, fold))
            if report(rung, top.value) and rung < self.last:
                return (
                    f"{top.value:.4g} on fold {rung + 1} of {self.last + 1}: below the median of "
                    "the complete trials"
                )
        if top is None:
            raise TrainingError(
                f"{self.application.name} prepared no fold to search on; return at least one"
            )
        return top

    def _reached(self, fitted: Model, found: Evaluation) -> Top:
        if self.objective not in found.metrics:
            raise ConfigurationError(
                f"{self.application.name} does not measure the objective {self.objective!r}; "
                f"it measures {', '.join(sorted(found.metrics))}"
            )
        value = float(found.metrics[self.objective])
        if not math.isfinite(value):
            raise TrainingError(f"{fitted.family}: {self.objective} is {value}, not a number")
        measures = {
            name: float(one) for name, one in found.metrics.items() if math.isfinite(float(one))
        }
        units = found.units.get(self.objective)
        return Top(value, measures, None if units is None else np.asarray(units, np.float32))
