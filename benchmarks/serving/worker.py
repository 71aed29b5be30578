"""What every contender's process does at its start."""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
from pathlib import Path
from typing import Any

DATA = "BENCHMARK_DATA"
"""Variable with the directory of the model, for servers that take no arguments of ours."""

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def arguments() -> tuple[socket.socket, Path]:
    """A listening socket of this worker's own, and where the model is.

    All workers have one on the same port, and the kernel deals connections to them (SO_REUSEPORT):
    of one shared socket a single idle worker takes all connections that a client opens at once.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    address = ("127.0.0.1", given.port)
    return socket.create_server(address, backlog=2048, reuse_port=True), given.data


def ready() -> None:
    """Tell the parent that this process accepts."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def under_uvicorn(app: Any, sock: socket.socket) -> None:
    """An ASGI application under uvicorn, tuned as its guide says, until the process is ended."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            gc.freeze()
            ready()

    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", ws="none", lifespan="off",
        access_log=False, log_level="warning", server_header=False, backlog=2048,
    )  # fmt: skip
    Server(config).run(sockets=[sock])
