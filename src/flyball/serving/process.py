"""The life of one serving process, from its socket to its exit code."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from threadpoolctl import threadpool_limits

from flyball import configuration, wiring
from flyball.domain.privacy import Pseudonyms
from flyball.errors import ConfigurationError, EnvironmentFailed
from flyball.ports import Application
from flyball.serving.app import create_app
from flyball.serving.loading import load
from flyball.serving.rebinding import is_loopback
from flyball.serving.server import Server, Stop, announce, inherited, listening, url_of
from flyball.serving.worker import Candidate, Worker, identify
from flyball.telemetry.metrics import Metrics
from flyball.wiring import Platform

SETTLE_S = 30.0
"""Seconds a worker on a shared socket waits for its versions before it accepts all the same."""


def serve(
    home: Path,
    application: Callable[[str], Application],
    *,
    port: int | None = None,
    fd: int | None = None,
    only: str | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    Args:
        home: the installation.
        application: name -> application.
        port: to listen on (0: a free one), announced on standard output once ready.
        fd: instead, a listening socket shared with other workers.
        only: ``"<model>/<version>"``, to serve that and nothing else.

    Raises:
        FlyballError: it cannot begin; says why.
    """
    stop = Stop()
    threading.excepthook = stop.thread_failed
    threadpool_limits(1)
    platform = wiring.build(configuration.load(home))
    host = platform.settings.server.host
    with (
        closing(platform),
        listening(host, port or 0) if fd is None else inherited(fd) as sock,
    ):
        if only is not None:
            _serve_candidate(only, platform, application, sock, stop)
        else:
            _serve_routes(platform, application, sock, stop, shared=fd is not None)
    return EnvironmentFailed.exit_code if stop.failed else 0


def _serve_candidate(
    only: str,
    platform: Platform,
    application: Callable[[str], Application],
    sock: socket.socket,
    stop: Stop,
) -> None:
    model, _, version = only.partition("/")
    if not version:
        raise ConfigurationError(f"--only needs MODEL/VERSION, not {only!r}")
    served = application(platform.settings.model(model).application)
    loaded = load(
        model, version, records=platform.records, blobs=platform.blobs, application=served
    )
    url = url_of(sock)
    worker = Candidate(
        loaded,
        model,
        identify(url, platform.clock),
        platform.clock,
        pseudonyms=_pseudonyms(platform, {model: served}).get(model),
    )
    server = Server(
        create_app(worker, {model: served}, loopback=_local(sock)), lambda: announce(url)
    )
    stop.attach(server)
    server.run(sockets=[sock])


def _serve_routes(
    platform: Platform,
    application: Callable[[str], Application],
    sock: socket.socket,
    stop: Stop,
    *,
    shared: bool,
) -> None:
    models = platform.settings.models
    opened = {name: application(name) for name in {m.application for m in models.values()}}
    applications = {name: opened[model.application] for name, model in models.items()}
    url = url_of(sock)
    worker = Worker(
        platform,
        applications,
        identify(url, platform.clock),
        Metrics(),
        pseudonyms=_pseudonyms(platform, applications),
    )

    def started() -> None:
        if not shared:
            worker.when_reported(lambda: announce(url))

    server = Server(create_app(worker, applications, loopback=_local(sock)), started)
    worker.start()
    try:
        if shared:
            _settle(worker, stop)
        stop.attach(server)
        if not stop.asked:
            server.run(sockets=[sock])
    finally:
        worker.stop()


def _pseudonyms(
    platform: Platform, applications: Mapping[str, Application]
) -> dict[str, Pseudonyms]:
    """What users become at the edge, for each model whose main table marks a personal column."""
    known = {}
    for model, application in applications.items():
        reviewed = bool(platform.model(model).schema_file)
        schemas = platform.schemas(model) if reviewed else application.schemas
        if schemas[0].personal:
            known[model] = platform.pseudonyms
    return known


def _local(sock: socket.socket) -> bool:
    address: str = sock.getsockname()[0]
    return is_loopback(address)


def _settle(worker: Worker, stop: Stop) -> None:
    """Leave connections to the other workers, or in the queue, until this one can answer."""
    deadline = time.monotonic() + SETTLE_S
    while not worker.settled and time.monotonic() < deadline:
        if stop.wait(0.05):
            return
