"""What the verbs answer: values, ready to be shown as a table or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from flyball.domain.data import DataBatch, DatasetVersion
from flyball.domain.deployment import Deployment
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route, WorkerStatus
from flyball.domain.training import Run
from flyball.domain.underway import Order, Underway
from flyball.domain.validation import ValidationReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """How far a verb has come: ``done`` of ``total`` parts of ``stage`` (total 0: not known)."""

    stage: str
    detail: str
    done: int = 0
    total: int = 0


Progress = Callable[[Update], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """One source, ingested.

    ``new`` is False where the same rows were there already; ``note`` says so in a sentence.
    """

    batch: DataBatch
    dataset: DatasetVersion
    new: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One training. ``new`` is False where the same request had been carried out before."""

    version: ModelVersion
    run: Run
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One deployment. ``new`` is False where the version served already or had ended badly.

    ``followed`` is whether a control process goes on with it: judges its steps, watches its bake.
    """

    deployment: Deployment
    new: bool
    followed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of the loop. ``deployed`` is None where validation did not promote."""

    ingested: tuple[Ingested, ...]
    trained: Trained
    report: ValidationReport
    deployed: Deployed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Experimented:
    """An experiment of the lab: what was tried on which data, and what came of it.

    ``version`` is empty where a family was tried with its default hyperparameters. ``found`` holds
    JSON types, as the application gave them.
    """

    experiment: str
    model: str
    version: str
    family: str
    hyperparameters: Mapping[str, Any]
    data_version: str
    found: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """A rollback: who serves instead of whom; ``seconds`` until every worker acknowledged it.

    ``seconds`` is None where no worker is alive to acknowledge it, or not all did within 15
    seconds. The record holds all the same: each worker follows it as soon as it can. ``confirmed``
    counts the workers whose health page then said that the good version serves, and
    ``contradicted`` names those whose page said another.
    """

    model: str
    withdrawn: str
    serving: str
    reason: str
    seconds: float | None
    confirmed: int = 0
    contradicted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What an operator decided about a version, and how it stands since.

    Attributes:
        order: the decision.
        version: its record now.
        deployment: the rollout it is about; None of a version that was archived.
        by, reason: who decided, and why.
        seconds: until every worker had applied the traffic that follows from it; None where that
            did not change, no worker is alive, or not all did within 15 seconds.
    """

    order: Order
    version: ModelVersion
    deployment: Deployment | None
    by: str
    reason: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Which version served at a time. ``version`` is empty where none did yet.

    Attributes:
        shares: of the users by version; two while a challenger has a share.
        shared: the ledger's row by which it had it; None where one version served everybody.
        bundle: digest of the version's newest signed bundle then; empty where there is none.
    """

    model: str
    at: datetime
    version: str
    since: datetime | None
    because: str
    by: str
    ledger_row: int | None
    shares: Mapping[str, float] = field(default_factory=dict)
    shared: LedgerRow | None = None
    bundle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """How a model stands: its route, its deployment, its newest run and report.

    ``rollout`` is how that deployment stands while it has not reached all traffic; else None.
    """

    model: str
    application: str
    route: Route | None
    champion: ModelVersion | None
    deployment: Deployment | None
    run: Run | None
    report: ValidationReport | None
    dataset: DatasetVersion | None
    versions: int
    rollout: Underway | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the installation stands. ``control`` says who runs the loop, empty for nobody."""

    home: Path
    control: str
    workers: tuple[WorkerStatus, ...]
    models: tuple[ModelStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDetails:
    """Everything recorded about a version."""

    version: ModelVersion
    run: Run | None
    reports: tuple[ValidationReport, ...]
    deployments: tuple[Deployment, ...]
    history: tuple[LedgerRow, ...]
    artifact: Path | None
