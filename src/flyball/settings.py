"""Settings: one typed object. ``flyball.configuration`` reads it from a file and the environment.

``docs/settings.md`` lists every field; a test holds the two together.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from flyball.domain.nearest import did_you_mean
from flyball.domain.quantities import duration, size
from flyball.errors import ConfigurationError

CONFIG_FILE = "flyball.toml"

Duration = Annotated[timedelta, BeforeValidator(duration)]
Bytes = Annotated[int, BeforeValidator(size)]


def _required(value: object) -> object:
    known = {"auto": "auto", "true": True, "false": False}
    if str(value).lower() not in known:
        raise ValueError("write 'auto', true or false")
    return known[str(value).lower()]


def _redis(value: object) -> object:
    if value and not re.match(r"rediss?://.|redis\+unix://.", str(value)):
        raise ValueError("not a Redis; write for example 'redis://HOST:6379/0'")
    return value


def _origin(value: str) -> str:
    if value != "*" and not re.fullmatch(r"https?://[^/?#@\s]+", value):
        raise ValueError("not an origin; write for example 'https://shop.example', without a path")
    return value


Origin = Annotated[str, AfterValidator(_origin)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, ser_json_timedelta="float"
    )


class Server(_Section):
    """The inference server and the control process's page."""

    host: str = Field(
        "127.0.0.1",
        description="Address of the inference API; console and control API stay on loopback.",
    )
    port: int = Field(
        8000, ge=0, le=65535, description="Port of the inference API; 0 takes a free one."
    )
    console_port: int = Field(
        8080, ge=0, le=65535, description="Port of the control API and the console."
    )
    keep_windows: Duration = Field(
        timedelta(days=3), description="How long one-second windows of traffic are kept."
    )
    join_within: Duration = Field(
        timedelta(days=7), description="How long after an answer an event still counts for it."
    )
    keep_served: Duration = Field(
        timedelta(days=14), description="How long the lists that were shown are kept."
    )
    served_limit: Bytes = Field(
        2 * 1024**3, ge=1, description="Bytes they may take; beyond that the oldest go."
    )
    spool: Bytes = Field(
        256 * 1024**2,
        ge=0,
        description="Bytes of events that may wait on disk while the database is away; 0: none.",
    )
    workers: int = Field(0, ge=0, le=256, description="Serving processes; 0 starts one per core.")
    worker_memory: Bytes = Field(
        1024**3,
        ge=0,
        description="Bytes of its own (models are shared) at which a worker is replaced by a fresh "
        "one, such as `800MiB`; 0: never.",
    )
    tls_certificate: str = Field(
        "", description="File of the certificate chain (PEM); then the inference API is HTTPS."
    )
    tls_key: str = Field("", description="File of its private key (PEM, not encrypted).")
    cors_origins: list[Origin] = Field(
        [],
        description="Origins whose pages may call the inference API, such as "
        "`https://shop.example`; `*` for all, without credentials.",
    )
    trusted_proxies: list[str] = Field(
        [],
        description="Addresses or networks of proxies whose `X-Forwarded-For` names the caller.",
    )


class Datasets(_Section):
    """Versions of the data."""

    remote: str = Field(
        "",
        description="Where `flyball data push` copies to: a directory or `s3://...`; default "
        "`<home>/remote`.",
    )


class Privacy(_Section):
    """What names a person."""

    key: str = Field(
        "", description="Secret of the pseudonyms, at least 16 bytes; default a file in the home."
    )


class Access(_Section):
    """Who may use the inference API. Rates are requests a minute; 0 sets no limit."""

    required: Annotated[bool | Literal["auto"], BeforeValidator(_required)] = Field(
        "auto",
        description="Whether callers need credentials; auto: unless only this machine can call.",
    )
    token_lifetime: Duration = Field(
        timedelta(minutes=10),
        gt=timedelta(0),
        le=timedelta(hours=1),
        description="How long an access token is good; at most 1 h.",
    )
    refresh_lifetime: Duration = Field(
        timedelta(days=14), gt=timedelta(0), description="How long a sign-in can be prolonged."
    )
    client_rate: int = Field(
        600_000, ge=0, description="Requests of one client, unless its key has a rate of its own."
    )
    user_rate: int = Field(600, ge=0, description="Requests for lists that name one user.")
    sign_in_rate: int = Field(30, ge=0, description="Sign-ins and refreshes from one address.")
    failure_rate: int = Field(
        30, ge=0, description="Requests with wrong credentials from one address."
    )
    limits: Annotated[str, BeforeValidator(_redis)] = Field(
        "",
        description="Where all workers count them together: `redis://...`; default each by itself.",
    )
    keep_audit: Duration = Field(
        timedelta(days=90), description="How long `<home>/audit` tells who was refused."
    )
    audit_limit: Bytes = Field(
        512 * 1024**2,
        ge=1,
        description="Bytes it may take; beyond that the oldest files go, and a line says so.",
    )


class Lineage(_Section):
    """OpenLineage events: always written to `<home>/lineage/events.jsonl`."""

    url: str = Field("", description="Where they are also sent: an OpenLineage HTTP endpoint.")


class Search(_Section):
    """The search for a candidate."""

    trials: int = Field(12, ge=1, le=10_000, description="The most configurations to try.")
    timeout: Duration = Field(timedelta(minutes=10), description="No trial begins after this.")
    seed: int = Field(7, ge=0, description="Seed of the split, the search and the fits.")


class Gates(_Section):
    """What a candidate must show before it may serve."""

    p95_ms: float = Field(
        50.0, gt=0, description="95th percentile of scoring one request, at most; in ms."
    )
    max_loss: float = Field(
        0.02, ge=0, description="Share of the champion's objective that a candidate may lose."
    )
    max_quarantined: float = Field(
        0.05, ge=0, le=1, description="Share of a batch's rows that may be unusable."
    )
    false_alarms: float = Field(
        0.01, gt=0, lt=0.5, description="Share of clean batches that may be called abnormal."
    )
    max_segment_loss: float = Field(
        0.1, ge=0, description="Share of the champion's NDCG that a kind of players may lose."
    )
    max_shilled: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of players whose list an item may enter by 1% made-up users.",
    )


def _rising(value: tuple[float, ...]) -> tuple[float, ...]:
    if value[-1:] != (1.0,) or any(a >= b for a, b in pairwise((0.0, *value))):
        raise ValueError("write shares that rise from above 0 to exactly 1, e.g. [0.05, 0.5, 1.0]")
    return value


class Rollout(_Section):
    """How a version takes over."""

    steps: Annotated[tuple[float, ...], AfterValidator(_rising)] = Field(
        (0.05, 0.25, 0.5, 1.0),
        description="Shares of traffic that a version takes one after the other, beside the one "
        "that serves. `[1.0]`: all at once.",
    )
    interval: Duration = Field(
        timedelta(minutes=1), description="Least time in each step, its warm-up left out."
    )
    warm_up: Duration = Field(
        timedelta(seconds=10),
        description="Time right after a step begins in which only failures count.",
    )
    deadline: Duration = Field(
        timedelta(hours=6), description="Time in which a step must show enough; then `undecided`."
    )
    undecided: Literal["hold", "rollback", "promote"] = Field(
        "hold",
        description="What becomes of a step that has not shown enough by its deadline. `promote` "
        "is written to the ledger as a step taken without evidence.",
    )
    approval: Literal["auto", "manual"] = Field(
        "auto", description="Whether full traffic waits for `flyball approve`."
    )
    false_alarm: float = Field(
        0.01,
        gt=0,
        lt=0.5,
        description="Share of rollouts of good versions that may be rolled back, at most.",
    )
    tolerance: float = Field(
        1.5,
        gt=1,
        description="How many times the share of failed or slow users is tolerable in a step.",
    )
    engagement_loss: float = Field(
        0.1, gt=0, lt=1, description="Share of clicking or buying users that is tolerable to lose."
    )
    decisive: tuple[Literal["errors", "latency", "clicks", "purchases", "value"], ...] = Field(
        ("errors", "latency"),
        description="What must be shown to be tolerable before a step is passed; harm that is "
        "shown in any of them rolls back.",
    )
    superior: Literal["", "clicks", "purchases", "value"] = Field(
        "", description="What must be shown to have grown before full traffic; nothing by default."
    )
    max_p95: Duration = Field(
        timedelta(seconds=2), description="Service level: the 95th percentile of latency, at most."
    )
    bake: Duration = Field(
        timedelta(hours=24), description="How long a version is watched after the switch."
    )
    load_timeout: Duration = Field(
        timedelta(minutes=2), description="Time in which every worker must have loaded the version."
    )
    window: Duration = Field(
        timedelta(minutes=5),
        description="How much of the latest live traffic is judged at a time during the bake.",
    )
    min_requests: int = Field(
        100, ge=1, description="With fewer answers in a step, or in `window`, nothing is passed."
    )
    max_error_share: float = Field(
        0.01, ge=0, le=1, description="Service level: the share of failed answers, at most."
    )


class Evidence(_Section):
    """What signs the evidence of every move of a version."""

    key: str = Field(
        "",
        description="File of the private key, Ed25519 in PEM; default `evidence.key` in the home, "
        "made at its first use.",
    )


class Notify(_Section):
    """Who is told of rollbacks, of rollouts that wait, and of what needs a person."""

    webhook: str = Field("", description="URL that takes Slack's incoming-webhook form; secret.")
    smtp: str = Field(
        "", description="Mail server: `smtp://USER:PASSWORD@HOST:587` or `smtps://HOST`; secret."
    )
    mail_from: str = Field("", description="Sender of mails.")
    mail_to: tuple[str, ...] = Field((), description="Who gets the mails.")


class ModelSettings(_Section):
    """One model and its loop."""

    application: str = Field("games", description="The application (plug-in) it belongs to.")
    objective: str = Field("", description="The metric that decides; default the application's.")
    schema_file: str = Field(
        "", description="Reviewed schema (`flyball data infer`) instead of the application's own."
    )
    exploration: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of plain lists in which chance fills one place, so that clicks can "
        "judge versions that were never shown.",
    )
    search: Search = Search()
    gates: Gates = Gates()
    rollout: Rollout = Rollout()


class Settings(_Section):
    """Everything that can be set."""

    home: Path = Field(Path(".flyball"), description="Where this installation keeps its state.")
    database: str = Field("", description="SQLAlchemy URL; default SQLite in the home.")
    artifacts: str = Field("", description="Directory of artifacts; default in the home.")
    mlflow: str = Field("", description="MLflow tracking URI; default SQLite in the home.")
    server: Server = Server()
    datasets: Datasets = Datasets()
    privacy: Privacy = Privacy()
    access: Access = Access()
    notify: Notify = Notify()
    evidence: Evidence = Evidence()
    lineage: Lineage = Lineage()
    models: dict[str, ModelSettings] = Field(
        default_factory=lambda: {"games": ModelSettings()}, description="The models, by name."
    )

    @property
    def database_url(self) -> str:
        """Where the records lie."""
        return self.database or f"sqlite:///{self.home.resolve() / 'flyball.sqlite'}"

    @property
    def artifacts_dir(self) -> Path:
        """Where artifacts lie."""
        return Path(self.artifacts) if self.artifacts else self.home.resolve() / "artifacts"

    @property
    def mlflow_uri(self) -> str:
        """Where runs are tracked."""
        return self.mlflow or f"sqlite:///{self.home.resolve() / 'mlflow.sqlite'}"

    def environment(self) -> dict[str, str]:
        """The variables with which another process reads these very settings, file or not."""
        values = self.model_dump(mode="json", exclude={"home"})
        told = {
            f"FLYBALL_{key.upper()}": value if isinstance(value, str) else json.dumps(value)
            for key, value in values.items()
        }
        return {"FLYBALL_HOME": str(self.home), **told}

    def model(self, name: str) -> ModelSettings:
        """The settings of one model.

        Raises:
            ConfigurationError: it is not configured; names the nearest one that is.
        """
        found = self.models.get(name)
        if found is None:
            raise ConfigurationError(
                f"no model is called {name!r}{did_you_mean(name, self.models)}; "
                f"configured: {', '.join(sorted(self.models))} "
                f"(add [models.{name}] to {CONFIG_FILE})"
            )
        return found
