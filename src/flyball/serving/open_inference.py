"""The Open Inference Protocol v2 (KServe): what any model can be asked, in tensors.

Here is what all models have in common: names, versions, readiness, and the envelope of tensors. An
application answers through ``flyball.ports.Inference``. Errors are problem documents that have the
protocol's member ``error`` as well. The extension for binary tensors is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any

import msgspec
from fastapi import APIRouter
from msgspec import Struct

from flyball import __version__
from flyball.domain.access import Scope
from flyball.domain.tensors import Datatype, Outputs, Tensor, TensorSpec, flattened
from flyball.errors import FlyballError, InvalidRequest, NotFound
from flyball.exchange import Call, Endpoint, Handler, Reply, add
from flyball.ports import Application, Choice, Host, Inference, InTensors
from flyball.serving import open_inference_docs as docs
from flyball.serving import problems

_ENCODER = msgspec.json.Encoder()
_BINARY = frozenset({"binary_data_size", "binary_data", "binary_data_output"})
_BINARY_HEADER = b"inference-header-content-length"


class SentTensor(Struct, frozen=True):
    """An input as it is sent."""

    name: str
    shape: list[int]
    datatype: Datatype
    data: list[Any]
    parameters: dict[str, Any] = {}


class WantedOutput(Struct, frozen=True):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class InferenceRequest(Struct, frozen=True):
    """A whole request; fields of extensions are passed over."""

    inputs: list[SentTensor]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[WantedOutput] = []


_REQUEST = msgspec.json.Decoder(InferenceRequest)


class OpenInference:
    """The handlers.

    Args:
        hosts: by model.
        applications: by model.
    """

    def __init__(self, hosts: Mapping[str, Host], applications: Mapping[str, Application]) -> None:
        self._hosts = hosts
        self._inferences: dict[str, Inference] = {
            model: application.inference(hosts[model])
            for model, application in applications.items()
            if isinstance(application, InTensors)
        }

    def router(self) -> APIRouter:
        """All its endpoints."""
        router = APIRouter(tags=["open inference"])
        one, at = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
        for method, path, handler, described in (
            ("GET", "/v2", self.server, docs.SERVER),
            ("GET", one, self.model, docs.MODEL),
            ("GET", f"{one}/ready", self.model_ready, docs.MODEL_READY),
            ("POST", f"{one}/infer", self.infer, docs.INFER),
            ("GET", at, self.model, docs.at_version(docs.MODEL)),
            ("GET", f"{at}/ready", self.model_ready, docs.at_version(docs.MODEL_READY)),
            ("POST", f"{at}/infer", self.infer, docs.at_version(docs.INFER)),
        ):
            endpoint = Endpoint(
                method=method,
                path=path,
                handler=_with_error(handler),
                scope=Scope.READ,
                described=described,
            )
            add(router, endpoint)
        return router

    async def server(self, _call: Call) -> Reply:
        """What this server is."""
        return _reply({"name": "flyball", "version": __version__, "extensions": []})

    async def model(self, call: Call) -> Reply:
        """What a model takes and gives, and which of its versions can be asked for."""
        model, inference = self._inference(call)
        choices = _loaded(self._hosts[model])
        _named(model, choices, call.path.get("version"))
        signature = inference.signature
        return _reply(
            {
                "name": model,
                "versions": sorted(choices),
                "platform": signature.platform,
                "inputs": [_described(spec) for spec in signature.inputs],
                "outputs": [_described(spec) for spec in signature.outputs],
            }
        )

    async def model_ready(self, call: Call) -> Reply:
        """Whether a model, or one version of it, can answer; 503 or 404 where it cannot."""
        model = self._model(call)
        _named(model, _loaded(self._hosts[model]), call.path.get("version"))
        return _reply({"name": model, "ready": True})

    async def infer(self, call: Call) -> Reply:
        """Ask a model, or one version of it, in tensors."""
        model, inference = self._inference(call)
        version = call.path.get("version")
        asked = _read(call)
        inputs = _inputs(asked, inference.signature.inputs)
        wanted = _wanted(asked, inference.signature.outputs)
        pinned = None
        if version is not None:
            pinned = _named(model, _loaded(self._hosts[model]), version)
        found = await inference.infer(
            inputs,
            asked.parameters,
            pinned=pinned,
            caller=call.caller,
            deadline=call.deadline,
            trace=call.trace,
        )
        return _reply(_answer(model, asked.id, found, wanted))

    def _model(self, call: Call) -> str:
        model = call.path["model"]
        if model not in self._hosts:
            raise NotFound(f"no model {model!r} here; there are {', '.join(sorted(self._hosts))}")
        return model

    def _inference(self, call: Call) -> tuple[str, Inference]:
        model = self._model(call)
        found = self._inferences.get(model)
        if found is None:
            raise NotFound(f"the model {model!r} does not answer in tensors; see /docs for its API")
        return model, found


def _with_error(handler: Handler) -> Handler:
    """The handler; its problems have the protocol's member ``error``."""

    @wraps(handler)
    async def told(call: Call) -> Reply:
        try:
            return await handler(call)
        except FlyballError as error:
            reply = problems.reply_to(error)
            document = msgspec.json.decode(reply.body)
            reply.body = _ENCODER.encode({**document, "error": document["detail"]})
            return reply

    return told


def _loaded(host: Host) -> dict[str, Choice]:
    """The versions that can answer, by name.

    Raises:
        NotFound: there is none yet (HTTP 503).
    """
    choice = host.champion()
    other = host.beside(choice)
    return {each.version: each for each in (choice, other) if each is not None}


def _named(model: str, choices: Mapping[str, Choice], version: str | None) -> Choice | None:
    """The version of this name; None where none is named.

    Raises:
        NotFound: it is not loaded.
    """
    if version is None:
        return None
    if version not in choices:
        raise NotFound(
            f"version {version!r} of {model} is not loaded; there are {', '.join(sorted(choices))}"
        )
    return choices[version]


def _read(call: Call) -> InferenceRequest:
    """The request.

    Raises:
        InvalidRequest: it is not of that shape, or uses the extension for binary tensors.
    """
    if _BINARY_HEADER in call.headers:
        raise _no_binary()
    try:
        asked = _REQUEST.decode(call.body)
    except RecursionError as error:
        raise InvalidRequest("the JSON is nested too deeply; send flat tensors") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if b'"binary_data_size"' in call.body:
            raise _no_binary() from error
        raise InvalidRequest(f"{error}; see /docs for what this endpoint takes") from error
    parts: Sequence[Any] = (asked, *asked.inputs, *asked.outputs)
    if any(not _BINARY.isdisjoint(part.parameters) for part in parts):
        raise _no_binary()
    return asked


def _no_binary() -> InvalidRequest:
    return InvalidRequest(
        "the extension for binary tensors is not supported; send the data of all inputs as JSON, "
        "and ask for no binary outputs"
    )


def _inputs(asked: InferenceRequest, specs: Sequence[TensorSpec]) -> dict[str, Tensor]:
    """The inputs, as the model takes them.

    Raises:
        InvalidRequest: one is unknown, missing, sent twice, or of another type or shape.
    """
    known, found = {spec.name: spec for spec in specs}, dict[str, Tensor]()
    for sent in asked.inputs:
        if sent.name not in known or sent.name in found:
            how = "unknown" if sent.name not in known else "sent twice"
            raise InvalidRequest(f"input {sent.name!r} is {how}; there are {', '.join(known)}")
        tensor = Tensor(
            name=sent.name,
            datatype=sent.datatype,
            shape=tuple(sent.shape),
            data=flattened(sent.data, len(sent.shape)),
        )
        known[sent.name].check(tensor)
        found[sent.name] = tensor
    missing = [spec.name for spec in specs if not spec.optional and spec.name not in found]
    if missing:
        raise InvalidRequest(f"the inputs {', '.join(missing)} are missing")
    return found


def _wanted(asked: InferenceRequest, specs: Sequence[TensorSpec]) -> list[str]:
    """Names of the outputs to give, in the order asked for."""
    known = [spec.name for spec in specs]
    for output in asked.outputs:
        if output.name not in known:
            raise InvalidRequest(f"no output {output.name!r}; there are {', '.join(known)}")
    return [output.name for output in asked.outputs] or known


def _answer(model: str, id: str, found: Outputs, wanted: Sequence[str]) -> dict[str, Any]:
    tensors = {tensor.name: tensor for tensor in found.tensors}
    outputs = [
        {"name": name, "shape": each.shape, "datatype": each.datatype, "data": each.data}
        for name in wanted
        if (each := tensors[name])
    ]
    version = {"model_version": found.version} if found.version else {}
    named = {"id": id} if id else {}
    return {"model_name": model, **version, **named, "outputs": outputs}


def _described(spec: TensorSpec) -> dict[str, Any]:
    told = {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}
    return {**told, "parameters": {"optional": True}} if spec.optional else told


def _reply(answer: Any) -> Reply:
    return Reply(_ENCODER.encode(answer))
