"""A TCP proxy in front of a real server, that cuts, corrupts or holds back what comes from it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["cut", "corrupt", "hold", "refuse"]


@dataclass
class BadNetwork:
    """What happens on the way.

    Attributes:
        url: of the proxy; as the real server's.
        fault: ``cut`` closes, ``corrupt`` changes one byte, ``hold`` sends nothing more,
            ``refuse`` closes at once.
        after: how many bytes of one connection pass unharmed; after a changed byte so many again.
        times: how often the fault comes; then all passes.
        befallen: how often it came.
    """

    url: str = ""
    fault: Fault = "cut"
    after: int = 100_000
    times: int = 0
    befallen: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def strikes(self, seen: int) -> bool:
        """Whether the fault befalls a connection that has brought so many bytes."""
        with self.lock:
            if seen <= self.after or self.befallen >= self.times:
                return False
            self.befallen += 1
            return True


@contextmanager
def bad_network(server: str) -> Iterator[BadNetwork]:
    """A proxy on a free port in front of the server at this URL."""
    there = urlsplit(server)
    network = BadNetwork()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        network.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):
                while not network.ended.is_set():
                    client, _ = listener.accept()
                    upstream = socket.create_connection((there.hostname, there.port))
                    for work in (
                        lambda c=client, u=upstream: _forward(c, u, None),
                        lambda c=client, u=upstream: _forward(u, c, network),
                    ):
                        threads.append(threading.Thread(target=work, daemon=True))
                        threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield network
        network.ended.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        accepting.join(5)


def _forward(source: socket.socket, sink: socket.socket, network: BadNetwork | None) -> None:
    """Pass bytes on until either side ends; with ``network`` also its faults."""
    seen = 0
    with suppress(OSError), source, sink:
        if network is not None and network.fault == "refuse" and network.strikes(1 << 60):
            _close(source, sink)
            return
        while piece := source.recv(1 << 14):
            seen += len(piece)
            if network is not None and network.strikes(seen):
                if network.fault == "cut":
                    _close(source, sink)
                    return
                if network.fault == "hold":
                    network.ended.wait(30)
                    return
                piece, seen = piece[:-1] + bytes([piece[-1] ^ 1]), 0
            sink.sendall(piece)
        _close(source, sink)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
