"""The HTTP edge of a worker: the applications' routes, probes, metrics, one error shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi_offline import FastAPIOffline

from flyball import __version__
from flyball.ports import Application
from flyball.serving import problems
from flyball.serving.edge.admission import Admission
from flyball.serving.edge.edge import Edge, needed
from flyball.serving.edge.gate import Gate
from flyball.serving.open_inference import OpenInference
from flyball.serving.security import document
from flyball.serving.worker import Served

DESCRIPTION = """Live models kept healthy by Flyball.

Every error is a problem document (RFC 9457). `/metrics` is for Prometheus."""


def create_app(
    worker: Served,
    applications: Mapping[str, Application],
    *,
    loopback: bool,
    gate: Gate | None = None,
    auth: APIRouter | None = None,
    admission: Admission | None = None,
) -> Edge:
    """The ASGI application of one worker.

    Args:
        worker: what serves.
        applications: by model; the first model of each application is mounted at ``/``, further
            ones at ``/models/{model}``.
        loopback: whether it is reached from this machine only; then foreign names are refused.
        gate: who is let in; None: everybody.
        auth: routes that give tokens.
        admission: how many may wait; None: as many as usual.
    """
    app = FastAPIOffline(  # its page of documentation loads nothing from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # it would send callers to whatever host they name
        title="Flyball inference API",
        version=__version__,
        description=DESCRIPTION,
    )
    problems.install(app)
    _add_probes(app, worker)
    mounted: set[str] = set()
    for model, application in applications.items():
        prefix = f"/models/{model}" if application.name in mounted else ""
        mounted.add(application.name)
        app.include_router(application.routes(worker.hosts[model]), prefix=prefix)
    app.include_router(OpenInference(worker.hosts, applications).router())
    if auth is not None:
        app.include_router(auth)
    document(app, needed)
    return Edge(app, loopback=loopback, gate=gate, admission=admission)


def _add_probes(app: FastAPI, worker: Served) -> None:
    @app.get("/", include_in_schema=False)
    async def front() -> Response:
        """For a person with a browser."""
        return RedirectResponse("/docs")

    @app.get("/health/live", tags=["health"])
    async def live() -> dict[str, str]:
        """Whether the process answers at all."""
        return {"status": "live"}

    @app.get("/health/ready", tags=["health"])
    async def ready() -> Response:
        """Whether every routed model has a version that answers; 503 until then."""
        reasons = worker.unready()
        if not reasons:
            return JSONResponse({"status": "ready"})
        return problems.problem(
            503, "not-ready", "Not ready", "; ".join(reasons), headers={"retry-after": "1"}
        )

    @app.get("/v2/health/live", tags=["open inference"])
    async def server_live() -> dict[str, bool]:
        """Whether the process answers at all, as the Open Inference Protocol asks it."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=["open inference"])
    async def server_ready() -> Response:
        """The same as `/health/ready`, as the Open Inference Protocol asks it."""
        answer = await ready()
        return answer if answer.status_code != 200 else JSONResponse({"live": True, "ready": True})

    @app.get("/health", tags=["health"])
    async def health() -> dict[str, Any]:
        """Versions, slots, worker, uptime and dependencies."""
        return worker.health()

    @app.get("/metrics", tags=["health"], response_class=Response)
    def metrics() -> Response:
        """All workers of this home, in Prometheus's text format."""
        body, content_type = worker.metrics.exposition()
        return Response(body, media_type=content_type)
