"""A worker's HTTP server around the smallest application: for tests of what stands before one.

As a script it serves until SIGTERM, under its supervisor or by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from flyball.domain.access import Scope
from flyball.exchange import Call, Endpoint, Reply, add
from flyball.serving.app import create_app
from flyball.serving.edge.bounds import Bounds
from flyball.serving.heartbeat import Heartbeat
from flyball.serving.host import ModelHost
from flyball.serving.memory import Recycling
from flyball.serving.server import Server, Stop, announce, inherited, listening, url_of
from flyball.serving.slots import Slots
from flyball.settings import Server as Settings
from flyball.telemetry.metrics import Metrics

COMMAND = (sys.executable, __file__)


class Bare:
    """Answers, waits, holds memory or hangs, as it is told."""

    name = "bare"

    def __init__(self) -> None:
        self.held: list[bytes] = []

    def routes(self, _host: Any) -> APIRouter:
        router = APIRouter()
        gathered = Endpoint(
            method="POST",
            path="/gathered",
            handler=self.echo,
            scope=Scope.READ,
            described={},
            together=self.together,
        )
        add(router, gathered)
        for path, handler in (
            ("/echo", self.echo),
            ("/wait", self.wait),
            ("/work", self.work),
            ("/hang", self.hang),
            ("/hold", self.hold),
            ("/large", self.large),
        ):
            for method in ("GET", "POST"):
                described: dict[str, Any] = {}
                made = Endpoint(
                    method=method, path=path, handler=handler, scope=Scope.READ, described=described
                )
                add(router, made)
        return router

    async def echo(self, call: Call) -> Reply:
        """The body, and what else the request said."""
        return _echoed(call)

    def together(self, calls: Sequence[Call]) -> list[Reply | Exception]:
        """To all who ask at the same moment: works as long as the body says, and echoes it."""
        return [_worked(call) for call in calls]

    async def wait(self, call: Call) -> Reply:
        """Takes its time, and leaves the others theirs."""
        await asyncio.sleep(float(call.values()["seconds"]))
        return Reply(b"{}")

    async def work(self, call: Call) -> Reply:
        """Needs so many seconds of the processor."""
        _work(float(call.values()["seconds"]))
        return Reply(b"{}")

    async def hang(self, _call: Call) -> Reply:
        """Never returns, and stops everything."""
        threading.Event().wait()
        return Reply(b"{}")

    async def hold(self, call: Call) -> Reply:
        """Takes so much memory, and keeps it."""
        self.held.append(bytes(bytearray(b"x") * int(call.values()["bytes"])))
        return Reply(b"{}")

    async def large(self, call: Call) -> Reply:
        """So many bytes, by nothing that compresses them."""
        return Reply(b"x" * int(call.values()["bytes"]), media_type=b"text/plain")


def _work(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def _worked(call: Call) -> Reply:
    if call.body.isdigit():
        _work(int(call.body) / 1000)
    return _echoed(call, together=True)


def _echoed(call: Call, **more: Any) -> Reply:
    names = sorted(name.decode("latin-1") for name in call.headers)
    said = {"body": call.body.decode("latin-1"), "headers": names, **more}
    return Reply(json.dumps(said).encode())


class Served:
    """As much of a worker as the edge needs."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.hosts = {"m": ModelHost(Slots("m"), self.metrics)}

    def unready(self) -> list[str]:
        return []

    def health(self) -> dict[str, Any]:
        return {"status": "ok"}


def main(argv: list[str] | None = None) -> int:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int)
    parser.add_argument("--heartbeat", type=int)
    parser.add_argument("--bounds", type=json.loads, default={})
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--recycling", type=json.loads, default=None)
    parser.add_argument("--files", type=int, help="most open files")
    asked = parser.parse_args(argv)
    if asked.files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(asked.files, 64), asked.files))
    stop, settings = Stop(), Settings.model_validate(asked.settings)
    upkeep: list[Callable[[], None]] = []
    if asked.heartbeat is not None:
        upkeep.append(Heartbeat(asked.heartbeat))
    if asked.recycling:
        home = Path(asked.recycling.pop("home"))
        upkeep.append(
            Recycling(home, asked.recycling.pop("limit"), stop.recycle, **asked.recycling)
        )
    sock = listening("127.0.0.1", 0) if asked.fd is None else inherited(asked.fd)
    url = url_of(sock, tls=bool(settings.tls_certificate))
    server = Server(
        create_app(Served(), {"m": Bare()}, loopback=True),
        lambda: announce(url),
        settings=settings,
        bounds=Bounds(**asked.bounds) if asked.bounds else None,
        each_second=upkeep,
    )
    stop.attach(server)
    server.run(sockets=[sock])
    return stop.exit_code


@dataclass
class Running:
    """A server process."""

    process: subprocess.Popen[bytes]
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def connect(
        self, context: ssl.SSLContext | None = None, timeout: float = 20.0
    ) -> socket.socket:
        """A client's connection."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        return made if context is None else context.wrap_socket(made, server_hostname="localhost")

    def told(self, *sent: bytes) -> bytes:
        """All that the server says on one connection until it ends it."""
        with self.connect() as client:
            for part in sent:
                client.sendall(part)
            return everything(client)

    def memory(self) -> int:
        """Bytes of anonymous memory that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) * 1024

    def cpu_s(self) -> float:
        """Seconds of processor that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


def everything(client: socket.socket) -> bytes:
    """What arrives until the other end closes."""
    parts = []
    while True:
        try:
            part = client.recv(65536)
        except ConnectionResetError:
            part = b""
        if not part:
            return b"".join(parts)
        parts.append(part)


@contextmanager
def a_bare_server(**options: Any) -> Iterator[Running]:
    """A server process; each option is one of the command line."""
    argv = [*COMMAND]
    for name, value in options.items():
        argv += [f"--{name}", str(value) if isinstance(value, int) else json.dumps(value)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        yield Running(process, json.loads(line)["url"])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
