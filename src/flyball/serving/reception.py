"""Everything of a worker that has to do with who calls, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fastapi import APIRouter

from flyball.access.audit import of_home
from flyball.access.directory import Directory
from flyball.access.gate import AccessGate
from flyball.access.limiter import Limiter
from flyball.access.shared import Shared
from flyball.access.sign_in import SignIn
from flyball.domain.access import Caller
from flyball.ports import Clock, Records
from flyball.serving.auth import AuthRoutes
from flyball.serving.edge.gate import Gate, OpenGate
from flyball.settings import Settings
from flyball.telemetry.metrics import Metrics


class Adapters(Protocol):
    """What it needs of ``wiring.Platform``."""

    @property
    def settings(self) -> Settings:
        """Rates, lifetimes, the home."""
        ...

    @property
    def records(self) -> Records:
        """Keys, principals, sign-ins."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...


class Reception:
    """Who is let into a worker.

    Attributes:
        directory: who is known; to be followed.
        gate: who is let in.
        routes: of ``/auth``.
        audit: is told who was refused and who signed in.
        limit_user: (caller, user) -> counts a request that names the user; None: no limit.

    Args:
        adapters: what it reads and writes.
        metrics: of this process.
        required: whether callers need credentials; else everybody may do everything.
    """

    def __init__(self, adapters: Adapters, metrics: Metrics, *, required: bool) -> None:
        settings = adapters.settings.access
        self.directory = Directory()
        self.audit = of_home(adapters.settings, adapters.clock)
        self._records = adapters.records
        shared = (
            Shared(settings.limits, on_away=metrics.unshared.inc)
            if required and settings.limits
            else None
        )
        self._limiter, self._user_rate = Limiter(shared), settings.user_rate

        def count(reason: str) -> None:
            metrics.refused.labels(reason).inc()

        self.gate: Gate = OpenGate()
        self.limit_user: Callable[[Caller, str], None] | None = None
        if required:
            self.gate = AccessGate(
                self.directory,
                self._limiter,
                audit=self.audit,
                client_rate=settings.client_rate,
                failure_rate=settings.failure_rate,
                count=count,
            )
            self.limit_user = self._limit_user if self._user_rate else None
        self._sign_in = SignIn(
            self.directory,
            adapters.records,
            adapters.clock,
            token_lifetime=settings.token_lifetime,
            refresh_lifetime=settings.refresh_lifetime,
        )
        self.routes: APIRouter = AuthRoutes(
            self._sign_in,
            self._limiter,
            rate=settings.sign_in_rate,
            audit=self.audit,
            count=count,
        ).router()

    def open(self) -> None:
        """Begin to write the audit log."""
        self.audit.start()

    def close(self) -> None:
        """End. No request may be in flight."""
        self._sign_in.close()
        self.audit.stop()

    def _limit_user(self, caller: Caller, user: str) -> None:
        self._limiter.take(
            f"user/{user}",
            self._user_rate,
            what="requests for this user",
            reason="user_rate",
            subject=caller.subject,
        )
