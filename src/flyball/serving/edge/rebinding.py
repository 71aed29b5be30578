"""Keeps web pages of anybody away from a server that listens on loopback only.

A page in a browser on this machine can send requests here. Most cannot read the answer, nor send
JSON, because their origin is foreign (the same-origin policy). One whose own name an attacker
points at 127.0.0.1 would be of the same origin (DNS rebinding): so no foreign name is answered.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import ClassVar
from urllib.parse import urlsplit

from flyball.errors import InvalidRequest


class ForeignHost(InvalidRequest):
    """The request names a host that is not this machine."""

    status: ClassVar[int] = 421
    title: ClassVar[str] = "Not a name of this server"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"this server listens on this machine only and is not called {host!r}; use "
            "http://127.0.0.1 or http://localhost with its port"
        )


def check_host(host: bytes) -> None:
    """Refuse a ``Host`` header that is neither an address nor ``localhost``; none at all is fine.

    Raises:
        ForeignHost: it is.
    """
    if host and not is_own(name := host.decode("latin-1")):
        raise ForeignHost(name)


@lru_cache(maxsize=256)
def is_own(host: str) -> bool:
    """Whether a ``Host`` header names this machine without asking a name server."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(address: str) -> bool:
    """Whether a server that listens on ``address`` is reached from this machine only."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
