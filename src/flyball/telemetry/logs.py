"""Logs: structlog on standard error, one line an event, what users sent escaped."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

SECONDS = len("2026-01-31T12:34:56")
"""Of a time, what a line for people shows; JSON lines have it whole."""


def configure(*, json: bool = False, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up the logs of this process: ours, and those of libraries, in one format.

    Args:
        json: one JSON object a line; else ``time level event key=value ...``.
        level: the least severe level that is written, for example ``"warning"``; of libraries
            warnings and worse are written in any case, and nothing less.
        stream: where to; standard error by default.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.processors.JSONRenderer() if json else _line
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("flyball").setLevel(number)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def escaped(text: str) -> str:
    """``text`` on one line: control characters, line ends and odd spaces as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    time, level = str(event.pop("timestamp", "")), event.pop("level", "")
    head = f"{time[:SECONDS]}Z {level:<7} {escaped(str(event.pop('event', '')))}"
    return " ".join([head, *(f"{escaped(str(k))}={_value(v)}" for k, v in event.items())])


def _value(value: Any) -> str:
    text = escaped(str(value))
    if text and not any(c in text for c in ' "='):
        return text
    quoted = text.replace('"', '\\"')
    return f'"{quoted}"'
