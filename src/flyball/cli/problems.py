"""What goes wrong, as RFC 9457 problem documents; and answers as JSON documents."""

from __future__ import annotations

import json
import math
import re
import uuid
from typing import Any

from flyball.domain.canonical import plain
from flyball.errors import ConfigurationError, FlyballError


def problem(error: BaseException) -> dict[str, Any]:
    """The problem document of an error."""
    if isinstance(error, FlyballError):
        return _problem(type(error).__name__, error.title, error.status, str(error))
    return _problem("Unexpected", "An unexpected error", 500, unexpected(error))


def usage(command: str, detail: str) -> dict[str, Any]:
    """The problem document of a command line that cannot be read."""
    title, status = ConfigurationError.title, ConfigurationError.status
    return _problem("Usage", title, status, f"{command}: {detail}")


def unexpected(error: BaseException) -> str:
    """One line on an error that nobody foresaw."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' if said else ''}{said}; --debug shows the traceback"


def document(value: Any) -> str:
    """``value`` as one JSON document. Numbers that are not finite become null."""
    return json.dumps(_finite(plain(value)), ensure_ascii=False, indent=2, allow_nan=False)


def _problem(kind: str, title: str, status: int, detail: str) -> dict[str, Any]:
    dashed = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind).lower()
    return {
        "type": f"urn:flyball:problem:{dashed}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": uuid.uuid4().urn,
    }


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
