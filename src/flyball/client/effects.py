"""What a call needs of the world, as values.

A call is a generator (``Steps``): it yields what it needs and is sent what came of it. So all its
judgement is written once, and blocking and awaiting clients differ in these few effects only.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question to the API.

    Attributes:
        path: percent-encoded, from ``/`` on.
        query: parameters; a list is given several times.
        body: whole; None where there is none.
        kind: media type of the body.
        headers: more of them.
        signed: needs the caller's credentials.
        again: may be asked again when the first attempt came to nothing.
        also: statuses below 600 that are answers here, not errors.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    signed: bool = True
    again: bool = True
    also: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Wire:
    """Send one request and read its whole answer, an ``Answer`` or ``Lost``.

    Attributes:
        url: without its query.
        seconds: after which it is given up.
    """

    method: str
    url: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    body: bytes | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Alone:
    """Carry out steps while no other call of this client does; sent back is what they return.

    Attributes:
        seconds: to wait for the others; after them ``DeadlinePassed`` is raised.
    """

    steps: Steps[Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over the wire; the names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No whole answer came.

    Attributes:
        reason: in words.
        late: because the time was over.
        advice: what to do, where another attempt would come to the same; else empty.
    """

    reason: str
    late: bool = False
    advice: str = ""


T = TypeVar("T")
Effect: TypeAlias = "Wire | Pause | Alone"
Steps: TypeAlias = "Generator[Effect, Any, T]"
Plan: TypeAlias = "Generator[Ask, Answer, T]"
"""A call as ``calls`` describes it: questions, and what is made of the answers."""
