"""What a request's head may say of the request itself: its trace, and how long an answer helps."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping

from flyball.errors import DeadlinePassed, InvalidRequest

LONGEST_S = 3600.0
_TRACE = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_NO_TRACE = b"0" * 32


def trace_of(headers: Mapping[bytes, bytes]) -> str:
    """The id of the distributed trace (W3C Trace Context); empty where none is given rightly."""
    said = headers.get(b"traceparent")
    found = None if said is None else _TRACE.match(said)
    if found is None or found[1] == _NO_TRACE:
        return ""
    return found[1].decode()


def deadline_of(headers: Mapping[bytes, bytes], arrived: float) -> float:
    """When the answer is of no use any more, on ``time.monotonic``; infinite if nobody said.

    Args:
        arrived: when the request did, on the same clock.

    Raises:
        InvalidRequest: ``X-Request-Timeout`` is no number of seconds above 0.
        DeadlinePassed: it has waited so long that it is too late already.
    """
    said = headers.get(b"x-request-timeout")
    if said is None:
        return math.inf
    try:
        seconds = float(said)
    except ValueError:
        seconds = math.nan
    if not 0.0 < seconds <= LONGEST_S:
        raise InvalidRequest(
            f"X-Request-Timeout is {said.decode('latin-1')!r}; send seconds, above 0 and at most "
            f"{LONGEST_S:g}"
        )
    deadline = arrived + seconds
    if time.monotonic() >= deadline:
        raise late(seconds)
    return deadline


def late(seconds: float) -> DeadlinePassed:
    """The error for an answer that would come too late."""
    return DeadlinePassed(
        f"no answer within the {seconds:g} s of X-Request-Timeout; nothing was computed, or it was "
        "given up. Events may be sent again with the same ids"
    )
