"""How workflows' values and errors are stored: JSON, never pickle."""

from __future__ import annotations

import json
from typing import Any

from dbos import Serializer

from flyball import errors
from flyball.errors import FlyballError

_ERROR = "!error"


class WorkflowFailed(FlyballError):
    """A workflow ended with an error that Flyball did not foresee; its kind and message follow."""


class JsonCodec(Serializer):
    """JSON for everything; an error keeps its class, if it is Flyball's own, and its message."""

    def name(self) -> str:
        """Recorded beside each value."""
        return "flyball_json"

    def serialize(self, data: Any) -> str:
        """A value or an exception as text."""
        return json.dumps(data, default=_encoded, separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:
        """The value or exception that ``serialize`` wrote."""
        value = json.loads(serialized_data)
        if isinstance(value, dict) and _ERROR in value:
            return error_from(value[_ERROR], value["message"])
        return value


def error_from(kind: str, message: str) -> FlyballError:
    """The error of that class with that message; of an unknown class: ``WorkflowFailed``."""
    found = getattr(errors, kind, None)
    if isinstance(found, type) and issubclass(found, FlyballError):
        return found(message)
    return WorkflowFailed(f"{kind}: {message}" if kind != WorkflowFailed.__name__ else message)


def _encoded(value: Any) -> Any:
    if isinstance(value, BaseException):
        return {_ERROR: type(value).__name__, "message": str(value)}
    raise TypeError(f"a workflow cannot store a {type(value).__name__}; hand on JSON types")
