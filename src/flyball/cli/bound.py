"""Ports: taken before anything is started, so that nothing has to be undone."""

from __future__ import annotations

import os
import socket

from flyball.errors import EnvironmentFailed

BACKLOG = 2048


def listen(host: str, port: int, *, option: str) -> socket.socket:
    """A listening socket that children may inherit.

    Args:
        port: 0 takes a free one.
        option: named by the error, as what to change.

    Raises:
        EnvironmentFailed: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise EnvironmentFailed(
            f"port {port} of {host} cannot be used: {reason}; end what holds it, or choose "
            f"another with {option} (0 takes a free one)"
        ) from error


def free_port(host: str, port: int, *, option: str) -> int:
    """``port`` if it is free, or a free one for 0.

    Raises:
        EnvironmentFailed: it is in use.
    """
    with listen(host, port, option=option) as sock:
        found: int = sock.getsockname()[1]
    return found
