"""The distributed trace that a call belongs to (W3C Trace Context)."""

from __future__ import annotations

import sys


def current_traceparent() -> str:
    """The header of OpenTelemetry's current span; empty where there is none.

    Who has a span has imported the package: it is not imported for one who has not.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return ""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
