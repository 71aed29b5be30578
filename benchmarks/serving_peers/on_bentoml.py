"""BentoML: two workers, an asynchronous API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bentoml

from benchmarks.serving.scoring import Best


@bentoml.service(workers=2, traffic={"timeout": 30}, logging={"access": {"enabled": False}})
class Recommender:
    """The service."""

    def __init__(self) -> None:
        self.best = Best(Path(os.environ["BENCHMARK_DATA"]))

    @bentoml.api(route="/recommend")
    async def recommend(self, user_id: str, k: int = 10) -> dict[str, Any]:
        """One request."""
        return {"items": self.best.answer(user_id, k)}
