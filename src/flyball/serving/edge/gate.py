"""Who is let in: the port of the edge, and the gate that stands open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from flyball.domain.access import ANYONE, Caller, Scope
from flyball.errors import FlyballError


class Gate(Protocol):
    """Tells who calls, and refuses who may not."""

    def admit(self, headers: Mapping[bytes, bytes], address: str, scope: Scope | None, /) -> Caller:
        """Who calls, if they may do what needs this scope (None: what anybody may).

        Args:
            headers: by lower-case name.
            address: where the request comes from.

        Raises:
            Unauthenticated: nobody knows who it is.
            Forbidden: they may not do this.
            TooManyRequests: they ask more often than they may.
        """
        ...

    def refused(self, method: str, path: str, address: str, error: FlyballError) -> None:
        """Note that a request failed; of those that have to do with access, somebody may ask."""
        ...

    def administered(
        self, caller: Caller, method: str, path: str, address: str, status: int
    ) -> None:
        """Note that somebody did what needs the scope ``admin``."""
        ...


class OpenGate:
    """Lets everybody do everything: for a server that only this machine reaches."""

    def admit(
        self, _headers: Mapping[bytes, bytes], _address: str, _scope: Scope | None, /
    ) -> Caller:
        """``ANYONE``."""
        return ANYONE

    def refused(self, _method: str, _path: str, _address: str, _error: FlyballError) -> None:
        """Nothing to note: nobody is refused."""

    def administered(
        self, _caller: Caller, _method: str, _path: str, _address: str, _status: int
    ) -> None:
        """Nothing to note: nobody is known."""
