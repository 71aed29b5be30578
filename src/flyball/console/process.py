"""The life of the control process: it holds the home, runs the loop and serves the console."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import structlog
from fastapi import FastAPI

from flyball.access.audit import Audit, of_home
from flyball.configuration import load
from flyball.console.api import create_app
from flyball.console.guard import check_host, own_host
from flyball.errors import AlreadyRunning, EnvironmentFailed
from flyball.loop import lock
from flyball.loop.controller import Controller
from flyball.loop.engine import engine
from flyball.serving.server import OwnEnd, Stop, announce, listening, url_of
from flyball.verbs import Flyball

DRAIN_S = 2
"""Seconds that requests in flight have to finish. Pages reconnect by themselves."""

CLOSE_S = 4.0
"""Seconds that an orderly end may take after the server has stopped."""


def serve(home: Path, *, port: int, host: str | None = None, stop: Stop | None = None) -> None:
    """Run the control process of a home until SIGTERM or SIGINT.

    Args:
        home: the installation.
        port: of the control API and the console; 0 takes a free one. Announced on standard output,
            as one line of JSON, once they answer.
        host: to listen on; default ``server.host``, or loopback where that is not. Loopback only.
        stop: told of signals; must have been made in the main thread.

    Raises:
        AlreadyRunning: another process holds the home.
        FlyballError: it cannot begin; says why.
    """
    stop = stop or Stop()
    settings = load(home)
    with (
        Flyball(config=settings) as flyball,
        _socket(flyball.platform.home, _host(host, settings.server.host), port) as sock,
    ):
        url = url_of(sock)
        with engine(flyball.platform, lock.CONTROL):
            controller = Controller(flyball.platform)
            audit = of_home(settings, flyball.platform.clock)
            server = OwnEnd(
                _app(flyball, audit),
                lambda: _ready(url, flyball.platform.home),
                ws="websockets-sansio",
                lifespan="on",
                timeout_graceful_shutdown=DRAIN_S,
            )
            stop.attach(server)
            controller.start()
            audit.start()
            try:
                server.run(sockets=[sock])
            finally:
                _end_within(CLOSE_S)
                audit.stop()
                controller.close()


def _host(asked: str | None, of_api: str) -> str:
    return own_host(of_api) if asked is None else check_host(asked)


def _app(flyball: Flyball, audit: Audit) -> FastAPI:
    from flyball.console.page import add_page

    app = create_app(flyball, audit)
    add_page(app, flyball)
    return app


def _socket(home: Path, host: str, port: int) -> socket.socket:
    """Listen. A port that is taken because Flyball runs on this home already is told as that."""
    try:
        return listening(host, port)
    except EnvironmentFailed:
        if who := lock.holder(home):
            raise AlreadyRunning(f"{home} is held by {who}, and its port is taken") from None
        raise


def _ready(url: str, home: Path) -> None:
    structlog.get_logger("flyball.control").debug("control is ready", url=url, home=str(home))
    announce(url)


def _end_within(seconds: float) -> None:
    """End this process after so long, however far its orderly end has come.

    A tick or a step of a workflow may be under way (a fit, a slow network call) and cannot be
    interrupted. Cutting it off is safe: each records what it did in one transaction, and the next
    control process takes the workflow up at that step. Its children end with this process.
    """
    watch = threading.Timer(seconds, os._exit, args=(0,))
    watch.daemon = True
    watch.start()
