"""Ray Serve: two replicas behind its HTTP proxy."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.serving.scoring import Best


@serve.deployment(num_replicas=2, max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.5})
class Recommender:
    """The deployment."""

    def __init__(self, data: str) -> None:
        self.best = Best(Path(data))

    async def __call__(self, request: Request) -> dict[str, Any]:
        """One request."""
        asked = await request.json()
        return {"items": self.best.answer(asked["user_id"], asked["k"])}


if __name__ == "__main__":
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    ray.init(
        _node_ip_address="127.0.0.1",
        include_dashboard=False,
        num_cpus=4,
        object_store_memory=200_000_000,
        log_to_driver=False,
    )
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(sys.argv[1])},
        logging_config={"enable_access_log": False, "log_level": "WARNING"},
    )
    serve.run(Recommender.bind(os.environ["BENCHMARK_DATA"]), route_prefix="/recommend")
    stop.wait()
    serve.shutdown()
    ray.shutdown()
