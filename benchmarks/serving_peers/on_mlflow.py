"""MLflow: a pyfunc from code, under ``mlflow models serve`` with two workers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import mlflow
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from benchmarks.serving.scoring import Best


class Recommender(PythonModel):
    """What its guide asks for."""

    def load_context(self, context: Any) -> None:  # noqa: ARG002
        """Open the model."""
        self.best = Best(Path(os.environ["BENCHMARK_DATA"]))

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        """One request."""
        [user] = model_input["user_id"]
        return self.best.answer(user, 10)


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=__file__, pip_requirements=[])
else:
    set_model(Recommender())
