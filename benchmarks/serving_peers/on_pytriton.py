"""PyTriton: two instances of a function behind NVIDIA's Triton server, its own protocol in JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.serving.scoring import Best


class Recommender:
    """One instance; Triton gives each a process."""

    def __init__(self) -> None:
        self.best = Best(Path(os.environ["BENCHMARK_DATA"]))

    def __call__(self, requests: list) -> list[dict[str, np.ndarray]]:
        """One after the other: a player's id in a tensor, the games as text in another."""
        found = []
        for request in requests:
            user = request.data["user_id"].ravel()[0].decode()
            items = json.dumps(self.best.answer(user, 10)).encode()
            found.append({"items": np.array([items], dtype=np.bytes_)})
        return found


if __name__ == "__main__":
    port = int(sys.argv[1])
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=port,
        allow_grpc=False,
        allow_metrics=False,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="best",
            infer_func=[Recommender(), Recommender()],
            inputs=[Tensor(name="user_id", dtype=bytes, shape=(1,))],
            outputs=[Tensor(name="items", dtype=bytes, shape=(1,))],
            config=ModelConfig(batching=False),
        )
        triton.serve()
