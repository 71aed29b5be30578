"""MLServer: a custom runtime in two parallel workers, asked by the Open Inference Protocol."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.serving.scoring import Best


class Recommender(MLModel):
    """What its guide asks for."""

    async def load(self) -> bool:
        """Open the model."""
        self.best = Best(Path(os.environ["BENCHMARK_DATA"]))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One request: a player's id in a tensor, the games as text in another."""
        [user] = StringCodec.decode_input(payload.inputs[0])
        found = json.dumps(self.best.answer(user, 10))
        output = StringCodec.encode_output("items", [found])
        return InferenceResponse(model_name=self.name, outputs=[output])
