"""One call from its first question to its last answer: deadline, credentials, further attempts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flyball import __version__
from flyball.client.credentials import Credentials
from flyball.client.effects import Alone, Answer, Ask, Lost, Pause, Plan, Steps, Wire
from flyball.client.errors import ClientError
from flyball.client.judging import error_of, late, pause_before
from flyball.client.tracing import current_traceparent
from flyball.errors import InvalidRequest

T = TypeVar("T")

LONGEST_S = 3600.0
_LEAST_S = 0.001
_AGENT = f"flyball-client/{__version__}"
_UNAUTHENTICATED = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How calls are made.

    Attributes:
        timeout: seconds for a whole call, with all its attempts and pauses.
        retries: further attempts after the first.
        traceparent: W3C trace context to pass on; None: that of OpenTelemetry's current span.

    Raises:
        InvalidRequest: one is out of range.
    """

    timeout: float = 2.0
    retries: int = 3
    traceparent: str | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.timeout <= LONGEST_S:
            raise InvalidRequest(
                f"timeout {self.timeout} must be seconds above 0, at most {LONGEST_S:g}"
            )
        if self.retries < 0:
            raise InvalidRequest(f"retries {self.retries} must be 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What all calls of one client share.

    Attributes:
        base: URL without a slash at its end.
        credentials: of the caller.
        clock: seconds that never go back.
        now: UTC.
        draw: uniform numbers in [0, 1), for pauses.
    """

    base: str
    credentials: Credentials
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    draw: Callable[[], float] = random.random


def base_of(url: str) -> str:
    """A server's URL as requests begin with it.

    Raises:
        InvalidRequest: it is no URL of a web server.
    """
    said = InvalidRequest(
        "url is no URL of a server; give one such as http://127.0.0.1:8000, and credentials apart"
    )
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise said from error
    more = "@" in parts.netloc or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or not named or more:
        raise said
    return url.rstrip("/")


def steps_of(plan: Plan[T], session: Session, options: Options) -> Steps[T]:
    """All that a call takes; returns what it gives.

    Raises:
        ClientError: it did not come to a good end.
    """
    return (yield from _Call(session, options).through(plan))


class _Call:
    """One call, from now until its deadline."""

    def __init__(self, session: Session, options: Options) -> None:
        self._session, self._options = session, options
        self._deadline = session.clock() + options.timeout
        traced = options.traceparent or current_traceparent()
        self._traced = {"traceparent": traced} if traced else {}

    def through(self, plan: Plan[T]) -> Steps[T]:
        """Each question of a plan answered in turn; what it gives in the end."""
        try:
            ask = next(plan)
            while True:
                try:
                    answer = yield from self._answered(ask)
                except ClientError as error:
                    ask = plan.throw(error)
                else:
                    ask = plan.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    def _answered(self, ask: Ask) -> Steps[Answer]:
        """The good answer to a question, after as many attempts as it may take."""
        url = self._session.base + ask.path
        renewed, attempts, allowed = False, 0, self._options.retries if ask.again else 0
        while True:
            credentials = (yield from self._credentials()) if ask.signed else {}
            came = yield self._wire(ask, url, credentials, attempts)
            attempts += 1
            if isinstance(came, Answer) and (came.status < 300 or came.status in ask.also):
                return came
            refused = isinstance(came, Answer) and came.status == _UNAUTHENTICATED
            if refused and ask.signed and not renewed and (yield from self._renewed(credentials)):
                renewed, allowed = True, allowed + 1
                continue
            yield Pause(self._pause(came, url, attempts, allowed))

    def _wire(self, ask: Ask, url: str, credentials: Mapping[str, str], attempts: int) -> Wire:
        seconds = self._deadline - self._session.clock()
        if seconds < _LEAST_S:
            raise late(url, attempts)
        headers = {
            "user-agent": _AGENT,
            "accept": "application/json",
            "x-request-timeout": f"{seconds:.3f}",
            **self._traced,
            **ask.headers,
            **credentials,
        }
        if ask.body is not None:
            headers["content-type"] = ask.kind
        return Wire(ask.method, url, ask.query, headers, ask.body, seconds)

    def _pause(self, came: Answer | Lost, url: str, attempts: int, allowed: int) -> float:
        """Seconds until the next attempt.

        Raises:
            ClientError: there is none: it would not help, or come too late.
        """
        session = self._session
        now = session.now()
        pause = pause_before(attempts - 1, came, now, session.draw)
        left = self._deadline - session.clock()
        if pause is None or attempts > allowed or pause + _LEAST_S >= left:
            raise error_of(came, url, attempts, now)
        return pause

    def _credentials(self) -> Steps[Mapping[str, str]]:
        """Headers that say who calls; signs in first where that must be."""
        found = self._session.credentials.headers()
        if found is not None:
            return found
        yield self._alone(None)
        return self._session.credentials.headers() or {}

    def _renewed(self, refused: Mapping[str, str]) -> Steps[bool]:
        """Whether there are other credentials now than those that were refused."""
        renewed: bool = yield self._alone(refused)
        return renewed

    def _alone(self, refused: Mapping[str, str] | None) -> Alone:
        left = max(0.0, self._deadline - self._session.clock())
        return Alone(self._renewing(refused), left)

    def _renewing(self, refused: Mapping[str, str] | None) -> Steps[bool]:
        """Renew, unless somebody else did while this call waited for its turn."""
        credentials = self._session.credentials
        now = credentials.headers()
        if now is not None and now != refused:
            return True
        plan = credentials.renewal()
        if plan is None:
            return False
        yield from self.through(plan)
        return True


def with_options(options: Options, **changed: Any) -> Options:
    """Options with those changed that are not None."""
    return replace(options, **{name: value for name, value in changed.items() if value is not None})
