"""The life of one serving process, from its socket to its exit code."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from threadpoolctl import threadpool_limits

from flyball import configuration, wiring
from flyball.access import posture
from flyball.domain.privacy import Pseudonyms
from flyball.errors import ConfigurationError, StorageUnavailable
from flyball.ports import Application
from flyball.serving.app import create_app
from flyball.serving.edge.rebinding import is_loopback
from flyball.serving.heartbeat import Heartbeat
from flyball.serving.loading import load
from flyball.serving.memory import Recycling
from flyball.serving.reception import Reception
from flyball.serving.server import Server, Stop, announce, inherited, listening, url_of
from flyball.serving.worker import Candidate, Worker, identify
from flyball.telemetry.metrics import Metrics
from flyball.wiring import Platform

LOOPBACK = "127.0.0.1"

SETTLE_S = 30.0
"""Seconds a worker on a shared socket waits for its versions before it accepts all the same."""


def serve(
    home: Path,
    application: Callable[[str], Application],
    *,
    port: int | None = None,
    fd: int | None = None,
    only: str | None = None,
    heartbeat: int | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    Args:
        home: the installation.
        application: name -> application.
        port: to listen on (0: a free one), announced on standard output once ready.
        fd: instead, a listening socket shared with other workers.
        only: ``"<model>/<version>"``, to serve that and nothing else.
        heartbeat: a pipe's end, to tell the supervisor each second that this process is not stuck.

    Raises:
        FlyballError: it cannot begin; says why.
    """
    stop = Stop()
    threading.excepthook = stop.thread_failed
    threadpool_limits(1)
    platform = wiring.build(configuration.load(home))
    with closing(platform), _socket(platform, port or 0, fd, only) as sock:
        if only is not None:
            _serve_candidate(only, platform, application, sock, stop)
        else:
            limit = platform.settings.server.worker_memory
            upkeep: list[Callable[[], None]] = [Recycling(platform.home, limit, stop.recycle)]
            if heartbeat is not None:
                upkeep.append(Heartbeat(heartbeat))
            _serve_routes(platform, application, sock, stop, upkeep, shared=fd is not None)
    return stop.exit_code


def _socket(platform: Platform, port: int, fd: int | None, only: str | None) -> socket.socket:
    """Listen, unless anybody could then use the server."""
    if fd is not None:
        return inherited(fd)
    if only is not None:  # a candidate is for the validation on this machine alone
        return listening(LOOPBACK, port)
    host = platform.settings.server.host
    _required(platform, host)
    return listening(host, port)


def _required(platform: Platform, host: str) -> bool:
    """Whether callers need credentials.

    Raises:
        ConfigurationError: they would not, and others could call; or nobody has any.
    """
    setting = platform.settings.access.required
    required = posture.required(setting, host=host, loopback=is_loopback(host))
    if required:
        with suppress(StorageUnavailable):  # while the database is away nobody is let in
            posture.check_anybody(platform.records)
    return required


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
    upkeep: Sequence[Callable[[], None]],
    *,
    shared: bool,
) -> None:
    models = platform.settings.models
    opened = {name: application(name) for name in {m.application for m in models.values()}}
    applications = {name: opened[model.application] for name, model in models.items()}
    settings = platform.settings.server
    url = url_of(sock, tls=bool(settings.tls_certificate))
    metrics = Metrics()
    address: str = sock.getsockname()[0]
    reception = Reception(platform, metrics, required=_required(platform, address))
    worker = Worker(
        platform,
        applications,
        identify(url, platform.clock),
        metrics,
        pseudonyms=_pseudonyms(platform, applications),
        also=[reception.directory.follow],
        limit_user=reception.limit_user,
    )

    def started() -> None:
        if not shared:
            worker.when_reported(lambda: announce(url))

    app = create_app(
        worker,
        applications,
        loopback=_local(sock),
        gate=reception.gate,
        auth=reception.routes,
    )
    server = Server(app, started, settings=settings, each_second=upkeep)
    reception.open()
    worker.start()
    try:
        if shared:
            _settle(worker, stop)
        _collect_rarely()
        stop.attach(server)
        if not stop.asked:
            server.run(sockets=[sock])
    finally:
        worker.stop()
        reception.close()


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


def _collect_rarely() -> None:
    """Spare requests the search for garbage in all that stays: code, routes, models.

    What a request leaves is freed by counting; rings of garbage are rare, and few of them wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _settle(worker: Worker, stop: Stop) -> None:
    """Leave connections to the other workers, or in the queue, until this one can answer."""
    deadline = time.monotonic() + SETTLE_S
    while not worker.settled and time.monotonic() < deadline:
        if stop.wait(0.05):
            return
