"""KServe: a custom predictor under its model server, two workers, version 1 of its protocol."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import kserve
import uvicorn
from kserve.protocol.rest import server as rest

from benchmarks.serving.scoring import Best


class Recommender(kserve.Model):
    """What its guide asks for."""

    def __init__(self) -> None:
        super().__init__("best")
        self.best = Best(Path(os.environ["BENCHMARK_DATA"]))
        self.ready = True

    async def predict(self, payload: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        """One request."""
        [asked] = payload["instances"]
        return {"predictions": self.best.answer(asked["user_id"], asked["k"])}


class OnLoopback:
    """``uvicorn`` as KServe sees it: KServe always listens on every address, this one on ours."""

    Server = uvicorn.Server

    @staticmethod
    def Config(app: Any, host: str, **more: Any) -> uvicorn.Config:  # noqa: ARG004, N802
        """KServe's configuration, on the loopback address."""
        return uvicorn.Config(app, host="127.0.0.1", access_log=False, **more)


if __name__ == "__main__":
    rest.uvicorn = OnLoopback
    made = partial(kserve.ModelServer, enable_grpc=False, enable_latency_logging=False)
    made(http_port=int(sys.argv[1]), workers=2).start([Recommender()])
