"""What OpenAPI says of the Open Inference Protocol's endpoints; its own schemas, written in place.

Source: KServe, open-inference-protocol, specification/protocol/open_inference_rest.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXT = {"type": "string"}
_PARAMETERS = {"type": "object"}
_SHAPE = {"type": "array", "items": {"type": "integer"}}
_DATA = {"type": "array", "items": {}, "description": "Elements row by row, flat or nested."}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _array(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of}


_SPEC = _object(("name", "datatype", "shape"), name=_TEXT, datatype=_TEXT, shape=_SHAPE)
_TENSOR = _object(
    ("name", "shape", "datatype", "data"),
    name=_TEXT,
    shape=_SHAPE,
    datatype=_TEXT,
    parameters=_PARAMETERS,
    data=_DATA,
)
_REQUEST = _object(
    ("inputs",),
    id=_TEXT,
    parameters=_PARAMETERS,
    inputs=_array(_TENSOR),
    outputs=_array(_object(("name",), name=_TEXT, parameters=_PARAMETERS)),
)
_RESPONSE = _object(
    ("model_name", "outputs"),
    model_name=_TEXT,
    model_version=_TEXT,
    id=_TEXT,
    parameters=_PARAMETERS,
    outputs=_array(_TENSOR),
)
_SERVER = _object(
    ("name", "version", "extensions"), name=_TEXT, version=_TEXT, extensions=_array(_TEXT)
)
_MODEL = _object(
    ("name", "platform"),
    name=_TEXT,
    versions=_array(_TEXT),
    platform=_TEXT,
    inputs=_array(_SPEC),
    outputs=_array(_SPEC),
)
_READY = _object(("name", "ready"), name=_TEXT, ready={"type": "boolean"})
_ERROR = _object(
    ("type", "title", "status", "detail", "error"),
    type=_TEXT,
    title=_TEXT,
    status={"type": "integer"},
    detail=_TEXT,
    instance=_TEXT,
    error={**_TEXT, "description": "The detail again, as the protocol names it."},
)

ASKED = {
    "id": "42",
    "inputs": [
        {"name": "user_id", "shape": [2], "datatype": "BYTES", "data": ["player-1", "player-2"]},
        {"name": "k", "shape": [1], "datatype": "INT64", "data": [3]},
    ],
    "outputs": [{"name": "game_id"}, {"name": "score"}],
}
"""A request to a model of games."""


def _parameter(name: str, what: str, example: str) -> dict[str, Any]:
    described = {"required": True, "schema": _TEXT, "description": what, "example": example}
    return {"name": name, "in": "path", **described}


def _responses(schema: Mapping[str, Any], *errors: tuple[int, str]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ERROR}}
    failed = {str(status): {"description": why, "content": content} for status, why in errors}
    good = {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
    return {"200": good, **failed}


_MISSING = (404, "No such model, or the version is not loaded.")
_AWAY = (503, "No version is loaded yet.")
_NAMED = [_parameter("model", "Its name.", "games")]

SERVER: dict[str, Any] = {"responses": _responses(_SERVER)}
MODEL: dict[str, Any] = {"parameters": _NAMED, "responses": _responses(_MODEL, _MISSING, _AWAY)}
MODEL_READY: dict[str, Any] = {
    "parameters": _NAMED,
    "responses": _responses(_READY, _MISSING, _AWAY),
}
INFER: dict[str, Any] = {
    "parameters": _NAMED,
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _REQUEST, "examples": {"games": {"value": ASKED}}}
        },
    },
    "responses": _responses(
        _RESPONSE, _MISSING, (422, "The request cannot be read, or its tensors do not fit."), _AWAY
    ),
}


def at_version(described: Mapping[str, Any]) -> dict[str, Any]:
    """The same of one version."""
    version = _parameter("version", "Its name.", "1.0.0-0123abcd-89ef4567")
    return {**described, "parameters": [*described["parameters"], version]}
