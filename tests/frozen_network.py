"""A TCP proxy in front of a server on a unix socket, that can stop to pass anything on.

While it is frozen it still takes connections and bytes, as a kernel does for a program that hangs:
whoever sends sees nothing wrong.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class FrozenNetwork:
    """The proxy.

    Attributes:
        port: on 127.0.0.1.
    """

    port: int
    _flowing: threading.Event = field(default_factory=threading.Event)

    def freeze(self) -> None:
        """Pass nothing on."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on what was held back, and what comes."""
        self._flowing.set()

    def passed(self, source: socket.socket, to: socket.socket) -> None:
        """Pass on what comes from one side until it ends."""
        with suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                to.sendall(data)
        with suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)


@contextmanager
def frozen_network(path: str) -> Iterator[FrozenNetwork]:
    """A proxy on a free port in front of the socket at ``path``; things flow at first."""
    open_ones: list[socket.socket] = []
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        network = FrozenNetwork(listener.getsockname()[1])
        network.thaw()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.socket(socket.AF_UNIX)
                    open_ones.extend((client, server))
                    server.connect(path)
                    for pair in ((client, server), (server, client)):
                        threads.append(threading.Thread(target=network.passed, args=pair))
                        threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield network
        finally:
            network.thaw()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for one in open_ones:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
            for one in open_ones:
                one.close()
