"""The envelope of tensors, for any application: the published example, and how it may be sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from flyball.domain.tensors import Datatype, Outputs, Signature, Tensor, TensorSpec
from flyball.domain.traffic import Answers
from flyball.ports import Choice, Host, InTensors
from flyball.serving.app import create_app
from flyball.serving.host import ModelHost
from flyball.serving.slots import Slots
from flyball.telemetry.metrics import Metrics

# KServe, open-inference-protocol, inference_rest.md, "Inference Request Examples"; its input1 holds
# one element where its shape says three, so here it holds three.
PUBLISHED = {
    "id": "42",
    "inputs": [
        {"name": "input0", "shape": [2, 2], "datatype": "UINT32", "data": [1, 2, 3, 4]},
        {"name": "input1", "shape": [3], "datatype": "BOOL", "data": [True, False, True]},
    ],
    "outputs": [{"name": "output0"}],
}
GIVEN = [1.0, 1.1, 2.0, 2.1, 3.0, 3.1]


class Example:
    """The model of the published example; it keeps what it was asked."""

    signature = Signature(
        platform="example",
        inputs=(
            TensorSpec(name="input0", datatype=Datatype.UINT32, shape=(2, 2)),
            TensorSpec(name="input1", datatype=Datatype.BOOL, shape=(-1,)),
        ),
        outputs=(
            TensorSpec(name="output0", datatype=Datatype.FP32, shape=(3, 2)),
            TensorSpec(name="output1", datatype=Datatype.INT8, shape=(1,)),
        ),
    )

    def __init__(self) -> None:
        self.asked: list[tuple[Mapping[str, Tensor], Mapping[str, Any], Choice | None]] = []

    async def infer(self, inputs, parameters, *, pinned, caller, deadline, trace):
        self.asked.append((inputs, parameters, pinned))
        given = Tensor(name="output0", datatype=Datatype.FP32, shape=(3, 2), data=GIVEN)
        more = Tensor(name="output1", datatype=Datatype.INT8, shape=(1,), data=[7])
        return Outputs(tensors=[more, given], version="1.0.0-0123abcd-89ef4567")


class Application:
    name = "example"

    def __init__(self) -> None:
        self.example = Example()

    def routes(self, host: Host) -> APIRouter:
        return APIRouter()

    def inference(self, host: Host) -> Example:
        return self.example


class Served:
    def __init__(self) -> None:
        self.metrics = Metrics()
        answers = Answers(b"a key of the tests")
        self.hosts = {"mymodel": ModelHost(Slots("mymodel"), self.metrics, answers=answers)}

    def unready(self) -> list[str]:
        return []

    def health(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def application():
    made = Application()
    assert isinstance(made, InTensors)
    return made


def infer(application: Application, asked: Any) -> httpx.Response:
    app = create_app(Served(), {"mymodel": application}, loopback=False)

    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            headers = {"content-type": "application/json"}
            content = json.dumps(asked)
            return await client.post("/v2/models/mymodel/infer", content=content, headers=headers)

    return asyncio.run(sent())


def test_the_published_request_gets_the_published_answer(application):
    body = infer(application, PUBLISHED).json()
    assert body == {
        "model_name": "mymodel",
        "model_version": "1.0.0-0123abcd-89ef4567",
        "id": "42",
        "outputs": [{"name": "output0", "shape": [3, 2], "datatype": "FP32", "data": GIVEN}],
    }
    inputs, parameters, pinned = application.example.asked[0]
    assert (inputs["input0"].shape, inputs["input0"].data) == ((2, 2), [1, 2, 3, 4])
    assert (parameters, pinned) == ({}, None)


def test_nested_data_are_the_same_as_flat_ones(application):
    nested = {**PUBLISHED["inputs"][0], "data": [[1, 2], [3, 4]]}
    assert infer(application, {**PUBLISHED, "inputs": [nested, PUBLISHED["inputs"][1]]}).is_success
    assert application.example.asked[0][0]["input0"].data == [1, 2, 3, 4]


def test_all_outputs_come_in_the_models_order_where_none_is_asked_for(application):
    asked = {"inputs": PUBLISHED["inputs"], "parameters": {"a": 1}}
    body = infer(application, asked).json()
    assert [output["name"] for output in body["outputs"]] == ["output0", "output1"]
    assert "id" not in body
    assert application.example.asked[0][1] == {"a": 1}


def test_members_of_extensions_are_passed_over(application):
    assert infer(application, {**PUBLISHED, "priority": 7}).is_success


def test_a_missing_input_is_named(application):
    answer = infer(application, {"inputs": PUBLISHED["inputs"][:1]})
    assert answer.status_code == 422
    assert "input1" in answer.json()["error"]
    assert application.example.asked == []
