"""LitServe: two workers, two API servers, its fast queue."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import litserve as ls

from benchmarks.serving.scoring import Best


class Recommender(ls.LitAPI):
    """What its guide asks for."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Open the model."""
        self.best = Best(Path(os.environ["BENCHMARK_DATA"]))

    def predict(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One request."""
        return {"items": self.best.answer(asked["user_id"], asked["k"])}


if __name__ == "__main__":
    server = ls.LitServer(Recommender(), accelerator="cpu", workers_per_device=2, fast_queue=True)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=2,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
