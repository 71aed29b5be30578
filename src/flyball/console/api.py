"""The control API: the verbs over HTTP, answering with the same values as in Python.

Handlers are plain functions, so they run in the thread pool: verbs block.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from fastapi import FastAPI, Path, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from flyball import __version__
from flyball.access.audit import Audit
from flyball.answers import Decided, ModelStatus, RolledBack, VersionDetails
from flyball.console import traffic
from flyball.console.audited import Audited
from flyball.console.guard import Guard
from flyball.domain.deployment import Deployment
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.lineage import Direction, Traced
from flyball.domain.nearest import nearest
from flyball.domain.routing import Route
from flyball.errors import ArtifactCorrupt, NotFound
from flyball.serving import problems
from flyball.verbs import Flyball

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; " + (
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A report runs nothing and loads nothing, whatever is in it."""

SVG = "image/svg+xml"
MAX_MINUTES = 24 * 60
ModelName: TypeAlias = Annotated[str, Path(examples=["games"])]
SomeModel: TypeAlias = Annotated[str | None, Query(examples=["games"])]
RecordId: TypeAlias = Annotated[str, Path(examples=["games/1.0.0-0123abcd-89ef4567"])]
Version: TypeAlias = Annotated[str, Path(examples=["1.0.0-0123abcd-89ef4567"])]
DESCRIPTION = """What the loop knows and an operator decides.

Every error is a problem document (RFC 9457). `POST` takes JSON only. The process listens on
loopback only, and refuses requests of other web pages."""


class RollbackRequest(BaseModel):
    """Why the version before shall serve again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "wrong"}]})

    reason: str = Field(min_length=1, max_length=500, pattern=r"\S")


class DecisionRequest(BaseModel):
    """Which version a decision is about, by its whole name or its number, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"version": "1.2.0", "reason": "odd"}]}
    )

    version: str = Field(min_length=1, max_length=100)
    reason: str = Field(min_length=1, max_length=500, pattern=r"\S")


class Verified(BaseModel):
    """The ledger's chain holds over all its rows."""

    rows: int


class Health(BaseModel):
    """The process answers."""

    status: str


def create_app(flyball: Flyball, audit: Audit | None = None) -> FastAPI:
    """The control API of one installation, guarded, without the page.

    Args:
        audit: is told what changes something and what is refused.
    """
    app = FastAPI(
        title="Flyball control API",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page would be loaded from elsewhere
        redoc_url=None,
        responses=problems.RESPONSES,
    )
    problems.install(app)
    app.add_middleware(Guard)
    if audit is not None:
        app.add_middleware(Audited, audit=audit)
    api = ControlApi(flyball)
    models, version = "/api/models/{model}", "/api/models/{model}/versions/{version}"
    for path, handler, tag in (
        ("/api/models", api.models, "models"),
        (models, api.model, "models"),
        (f"{models}/versions", api.versions, "models"),
        (version, api.version, "models"),
        ("/api/deployments", api.deployments, "records"),
        ("/api/ledger", api.ledger, "records"),
        ("/api/ledger/verify", api.verify, "records"),
        ("/api/traffic/{model}", api.traffic, "records"),
        ("/health/live", api.live, "health"),
        ("/health/ready", api.ready, "health"),
    ):
        app.add_api_route(path, handler, methods=["GET"], tags=[tag])
    app.add_api_route(
        "/api/lineage/{id:path}", api.lineage, response_model=Traced, methods=["GET"],
        responses={200: {"content": {SVG: {}}}}, tags=["records"],
    )  # fmt: skip
    app.add_api_route(f"{version}/report", api.report, response_class=HTMLResponse, tags=["models"])
    orders = (api.hold, api.resume, api.approve, api.promote, api.abort, api.archive)
    for act in (api.rollback, *orders):
        app.add_api_route(f"{models}/{act.__name__}", act, methods=["POST"], tags=["models"])
    app.add_api_route("/api/{path:path}", api.unknown, include_in_schema=False)
    return app


class ControlApi:
    """The handlers. Each asks a verb and answers with what it said."""

    def __init__(self, flyball: Flyball) -> None:
        self._flyball = flyball

    def models(self) -> list[ModelStatus]:
        """How every model stands."""
        return list(self._flyball.status().models)

    def model(self, model: ModelName) -> ModelStatus:
        """How a model stands: route, champion, deployment, rollout, newest run, report, dataset."""
        return self._flyball.status(self._known(model)).models[0]

    def versions(self, model: ModelName) -> list[ModelVersion]:
        """All versions of a model, the oldest first."""
        return self._flyball.versions(self._known(model))

    def version(self, model: ModelName, version: Version) -> VersionDetails:
        """Everything recorded about a version, by its whole name or its number."""
        return self._flyball.show(self._known(model), version)

    def report(self, model: ModelName, version: Version) -> HTMLResponse:
        """The newest validation report of a version, as a page."""
        return HTMLResponse(
            report_page(self._flyball, self._known(model), version),
            headers={"content-security-policy": REPORT_POLICY, "cache-control": "no-store"},
        )

    def rollback(self, model: ModelName, asked: RollbackRequest) -> RolledBack:
        """The good version answers everybody again: a rollout ends, or the one before is back."""
        return self._flyball.rollback(self._known(model), reason=asked.reason.strip())

    def hold(self, model: ModelName, asked: DecisionRequest) -> Decided:
        """A rollout keeps its share of the traffic until it is resumed."""
        return self._flyball.hold(self._known(model), asked.version, reason=asked.reason.strip())

    def resume(self, model: ModelName, asked: DecisionRequest) -> Decided:
        """A rollout that is held goes on."""
        return self._flyball.resume(self._known(model), asked.version, reason=asked.reason.strip())

    def approve(self, model: ModelName, asked: DecisionRequest) -> Decided:
        """A rollout may take full traffic, once the evidence suffices."""
        return self._flyball.approve(self._known(model), asked.version, reason=asked.reason.strip())

    def promote(self, model: ModelName, asked: DecisionRequest) -> Decided:
        """A rollout takes all traffic now, whatever was shown so far."""
        return self._flyball.promote(self._known(model), asked.version, reason=asked.reason.strip())

    def abort(self, model: ModelName, asked: DecisionRequest) -> Decided:
        """A rollout ends: the champion answers everybody again, at once."""
        return self._flyball.abort(self._known(model), asked.version, reason=asked.reason.strip())

    def archive(self, model: ModelName, asked: DecisionRequest) -> Decided:
        """A version is taken out of use for good; not one that serves."""
        return self._flyball.archive(self._known(model), asked.version, reason=asked.reason.strip())

    def deployments(self, model: SomeModel = None) -> list[Deployment]:
        """Deployments, the oldest first."""
        return self._flyball.platform.records.find(Deployment, model=self._any(model))

    def ledger(
        self, model: SomeModel = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> list[LedgerRow]:
        """The last rows of the ledger, by rising number."""
        return self._flyball.ledger(self._any(model), limit=limit)

    def lineage(
        self,
        id: RecordId,
        direction: Direction = Direction.BOTH,
        format: Literal["json", "svg"] = "json",
    ) -> Traced | Response:
        """What a record came from and what it led to, as nodes and edges or as a picture.

        The id is that of a batch, dataset version, run, version, report or deployment, or a
        `recommendation_id`; with or without `model/`.
        """
        found = self._flyball.data.lineage(id, direction=direction)
        if format == "json":
            return found
        picture = self._flyball.data.lineage_picture(found)
        headers = {"content-security-policy": REPORT_POLICY, "cache-control": "no-store"}
        return Response(picture, media_type=SVG, headers=headers)

    def verify(self) -> Verified:
        """Check the ledger's whole chain; a problem names the first row that does not hold."""
        return Verified(rows=self._flyball.verify_ledger())

    def traffic(
        self, model: ModelName, minutes: Annotated[int, Query(ge=1, le=MAX_MINUTES)] = 15
    ) -> traffic.Traffic:
        """Live traffic by version, in 60 points: requests, errors, latency, feedback."""
        events, now = self._flyball.platform.events, self._flyball.platform.clock.now()
        return traffic.read(events, self._known(model), until=now, minutes=minutes)

    async def live(self) -> Health:
        """Whether the process answers at all."""
        return Health(status="live")

    def ready(self) -> Health:
        """Whether the records can be read; 503 while they cannot."""
        self._flyball.platform.records.find(Route, limit=1)
        return Health(status="ready")

    def unknown(self, path: str) -> None:
        """What is not there."""
        raise NotFound(f"there is no /api/{path} here; /api/openapi.json lists what there is")

    def _any(self, model: str | None) -> str | None:
        return None if model is None else self._known(model)

    def _known(self, model: str) -> str:
        configured = sorted(self._flyball.settings.models)
        if model not in configured:
            near = nearest(model, configured)
            hint = f"nearest: {', '.join(near)}" if near else f"there are: {', '.join(configured)}"
            raise NotFound(f"there is no model {model!r}; {hint}")
        return model


def report_page(flyball: Flyball, model: str, version: str) -> str:
    """The newest validation report of a version, as HTML.

    Raises:
        NotFound: no such version, or it was not validated yet.
        ArtifactCorrupt: what is stored is not what was reported.
    """
    details = flyball.show(model, version)
    stored = [report for report in details.reports if report.artifact]
    if not stored:
        raise NotFound(
            f"{details.version.id} has no validation report yet; "
            f"make one with `flyball validate {model} {details.version.name}`"
        )
    path = flyball.platform.blobs.get(stored[-1].artifact) / "report.html"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactCorrupt(f"{path} cannot be read: {error}; validate again") from error
