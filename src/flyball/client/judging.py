"""What an answer means, and whether and when to ask again. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar

import msgspec

from flyball.client.effects import Answer, Lost
from flyball.client.errors import (
    BY_STATUS,
    ApiError,
    ClientError,
    DeadlinePassed,
    Unreachable,
    UnreadableAnswer,
)
from flyball.client.types import Problem

AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which another attempt may come to a better end."""

FIRST_S, LONGEST_S = 0.1, 5.0
"""Bounds of the first pause and of every one, unless the server asks for more."""

T = TypeVar("T")

_SHOWN = 300
"""Characters shown of an answer that is no problem document."""


def pause_before(
    again: int, came: Answer | Lost, now: datetime, draw: Callable[[], float]
) -> float | None:
    """Seconds to wait before another attempt; None where another one would not help.

    Full jitter: uniform below a bound that doubles. Callers who failed together do not come back
    together. Where the server says when (``Retry-After``), the pause is added to that.
    Source: Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.

    Args:
        again: how many attempts there were before this one's, from 0.
        draw: uniform numbers in [0, 1).
    """
    if came.status not in AGAIN if isinstance(came, Answer) else came.advice:
        return None
    jitter = draw() * min(LONGEST_S, FIRST_S * 2.0**again)
    asked = retry_after(came, now) if isinstance(came, Answer) else None
    return jitter if asked is None else asked + jitter


def retry_after(answer: Answer, now: datetime) -> float | None:
    """Seconds that the server asks to wait; None where it does not say.

    It may say seconds or a date (RFC 9110, 10.2.3).
    """
    said = answer.headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        try:
            until = parsedate_to_datetime(said)
        except ValueError:
            return None
        aware = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
        seconds = (aware - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def error_of(came: Answer | Lost, url: str, attempts: int, now: datetime) -> ClientError:
    """The error for an answer that is none.

    Args:
        url: that was asked.
        attempts: how many there were.
    """
    times = "once" if attempts == 1 else f"{attempts} times"
    if isinstance(came, Lost):
        if came.late:
            return late(url, attempts, came.reason)
        if came.advice:
            return Unreachable(f"{url}: {came.reason}; {came.advice}")
        return Unreachable(f"{url}: {came.reason}; asked {times}. Is the server up?")
    problem = problem_of(came)
    kind = BY_STATUS.get(came.status, ApiError)
    return kind(problem, retry_after_s=retry_after(came, now))


def late(url: str, attempts: int, last: str = "") -> DeadlinePassed:
    """The error for an answer that did not come in time."""
    because = f" (the last: {last})" if last else ""
    return DeadlinePassed(
        Problem(
            type="urn:flyball:problem:deadline-passed",
            title="The deadline has passed",
            status=504,
            detail=f"{url}: no answer within the timeout of the call, after {attempts} attempts"
            f"{because}; allow more time, or see what holds the server up",
        )
    )


def problem_of(answer: Answer) -> Problem:
    """The problem document of an answer; one made up where something else stands there."""
    try:
        problem = msgspec.json.decode(answer.body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = Problem(detail=answer.body[:_SHOWN].decode("utf-8", "replace"))
    title = problem.title or _phrase(answer.status)
    return msgspec.structs.replace(problem, status=answer.status, title=title)


def decoded(answer: Answer, type_: type[T]) -> T:
    """The body of a good answer.

    Raises:
        UnreadableAnswer: it has another shape.
    """
    try:
        return msgspec.json.decode(answer.body, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableAnswer(
            f"{error}, in {answer.body[:_SHOWN]!r}; is this a Flyball server of this version?"
        ) from error


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
