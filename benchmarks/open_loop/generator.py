"""The generator: a plain loop over sockets and a schedule.

Sockets are watched with epoll, and the loop sleeps in ``select`` on epoll's own descriptor, which
keeps microseconds (epoll and asyncio's uvloop wake by the millisecond only).
"""

from __future__ import annotations

import gc
import random
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from benchmarks.open_loop.counts import Counts, Latencies, summed

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_OK = b"HTTP/1.1 200 "
RECONNECT_S = 1.0
"""How long a connection may take to open."""

DRAIN_S = 5.0


@dataclass(slots=True)
class _Line:
    """One connection: at most one request is under way on it.

    Attributes:
        due: when the request under way was due; None where there is none.
        got: bytes of its answer so far; ``whole``: how many it has, 0 while unknown.
    """

    sock: socket.socket
    due: float | None = None
    got: bytes = b""
    whole: int = 0


@dataclass(slots=True)
class Stretch:
    """What happened since the last report."""

    latencies: Counts = field(default_factory=Counts)
    late: Counts = field(default_factory=Counts)
    failed: int = 0

    def summary(self) -> Latencies:
        """The figures."""
        return summed(self.latencies, self.late, self.failed)


class Generator:
    """Sends requests to one server at even intervals.

    Args:
        url: where; HTTP on this machine.
        requests: whole requests as bytes; one is drawn for each.
        rate: a second.
        connections: kept alive; a request that is due while all are busy waits its turn.
        seed: of the drawing.
    """

    def __init__(
        self, url: str, requests: Sequence[bytes], *, rate: float, connections: int, seed: int = 1
    ) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._requests, self._draw = requests, random.Random(seed)
        self._interval = 1.0 / rate
        self._epoll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._free: deque[_Line] = deque()
        self._stretch = Stretch()
        for _ in range(connections):
            self._connect()

    def run(self, seconds: float, every: float, report: Callable[[Latencies], None]) -> None:
        """Ask for so long; then wait ``DRAIN_S`` for what is still under way.

        Args:
            every: seconds after which ``report`` is told of the stretch that passed.
        """
        gc.disable()  # nothing here makes cycles, and a collection would count as latency
        began = time.perf_counter()
        end, tell_at = began + seconds, began + every
        number, queue = 0, deque[float]()
        while True:
            now = time.perf_counter()
            due = began + number * self._interval
            while due <= now and due < end:
                queue.append(due)
                number += 1
                due = began + number * self._interval
            self._send(queue, now)
            if tell_at <= now and tell_at < end:
                report(self._taken())
                tell_at += every
            if due >= end and not queue and len(self._free) == len(self._lines):
                break
            if now > end + DRAIN_S:
                self._stretch.failed += len(queue) + len(self._lines) - len(self._free)
                break
            self._receive(min(due if due < end else now + 0.01, tell_at))
        if self._stretch.latencies.total or self._stretch.failed:
            report(self._taken())

    def close(self) -> None:
        """Close the connections."""
        for line in self._lines.values():
            line.sock.close()
        self._epoll.close()
        gc.enable()

    def _taken(self) -> Latencies:
        taken, self._stretch = self._stretch, Stretch()
        return taken.summary()

    def _connect(self) -> None:
        sock = socket.create_connection(self._address, RECONNECT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        line = _Line(sock)
        self._lines[sock.fileno()] = line
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._free.append(line)

    def _send(self, queue: deque[float], now: float) -> None:
        """Give each free connection a request that is due."""
        waited = len(queue) > len(self._free)
        while queue and self._free:
            line, due = self._free.popleft(), queue.popleft()
            line.due, line.got, line.whole = due, b"", 0
            if not waited:
                self._stretch.late.add(now - due)
            try:
                line.sock.send(self._draw.choice(self._requests))
            except OSError:
                self._broken(line)

    def _receive(self, until: float) -> None:
        """Take what arrives, until so late at most."""
        wait = until - time.perf_counter()
        if wait > 0 and not select.select([self._epoll.fileno()], [], [], wait)[0]:
            return
        for number, _ in self._epoll.poll(0):
            line = self._lines[number]
            try:
                part = line.sock.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                part = b""
            if not part:
                self._broken(line)
                continue
            line.got = line.got + part if line.got else part
            self._look(line)

    def _look(self, line: _Line) -> None:
        """Whether the answer is whole."""
        if not line.whole:
            head = line.got.find(b"\r\n\r\n")
            length = _LENGTH.search(line.got, 0, head + 2) if head >= 0 else None
            if length is None:
                if head >= 0:
                    self._broken(line)  # without a length its end cannot be known
                return
            line.whole = head + 4 + int(length[1])
        if len(line.got) < line.whole:
            return
        if line.due is not None and line.got.startswith(_OK):
            self._stretch.latencies.add(time.perf_counter() - line.due)
        else:
            self._stretch.failed += 1
        line.due = None
        self._free.append(line)

    def _broken(self, line: _Line) -> None:
        """A connection ended: its request failed, and another connection takes its place."""
        self._epoll.unregister(line.sock.fileno())
        del self._lines[line.sock.fileno()]
        line.sock.close()
        if line.due is not None:
            self._stretch.failed += 1
        else:
            self._free.remove(line)
        self._connect()
