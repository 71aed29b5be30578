"""Training: one run, what it tried and what it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class RunPhase(StrEnum):
    """How far a run has come."""

    SEARCHING = "searching"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBudget:
    """How long a search may go on: at most ``trials``, none begun after ``timeout_s`` seconds."""

    trials: int
    timeout_s: float


class Origin(StrEnum):
    """Why a configuration was tried."""

    DEFAULT = "default"
    EARLIER = "earlier run"
    DRAWN = "drawn"
    COMBINED = "combined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One configuration that was tried.

    Attributes:
        number: from 0, in order.
        family: the algorithm.
        hyperparameters: JSON types.
        value: the objective on the validation part; None where it was pruned before the end.
        seconds: what it cost.
        measures: every metric on the validation part; empty where ``value`` is None.
        origin: why it was tried.
        failed: it could not be fitted or measured.
        note: why it has no value, or which earlier trial it repeats; in words.
    """

    number: int
    family: str
    hyperparameters: Mapping[str, Any]
    value: float | None
    seconds: float
    measures: Mapping[str, float] = field(default_factory=dict)
    origin: Origin = Origin.DRAWN
    failed: bool = False
    note: str = ""

    @property
    def state(self) -> str:
        """``"complete"``, ``"pruned"`` or ``"failed"``."""
        if self.value is not None:
            return "complete"
        return "failed" if self.failed else "pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The best trial of a family, beside the best trial of all.

    Attributes:
        family: the algorithm.
        trial: its number.
        value: the objective on the validation part.
        behind: how much less that is than the best of all; 0 for that itself.
        low, high: 95% interval of ``behind`` over the same units (users, rows); None for the best
            itself, and where the objective is no mean over units.
    """

    family: str
    trial: int
    value: float
    behind: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What a run made.

    Attributes:
        family, hyperparameters: the winner of the search.
        metrics: its values on the held-out test part, by metric name.
        trials: everything that was tried.
        artifact: digest of the artifact directory.
        tracked_as: the tracker's run id.
        objective: the metric that the search maximised.
        why: why the winner won, in one sentence.
        standings: each family at its best, the highest value first.
        skipped: families that the data gave no reason to try, and why.
        packages: what was installed, as ``name==version``, sorted; empty if unknown.
        platform: what it was made on besides: Python, CPU, numeric libraries.
    """

    family: str
    hyperparameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    trials: tuple[Trial, ...]
    artifact: str
    tracked_as: str
    objective: str = ""
    why: str = ""
    standings: tuple[Standing, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    platform: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training execution, named by everything its result depends on.

    Attributes:
        model: the model's name.
        run_id: 16 hex digits of the digest of data version, split, seed, budget, families and code;
            the same request is the same run.
        data_version: the dataset version it learns from.
        split: the recorded split, as the application describes it (JSON types).
        seed: of the search and of the fits.
        budget: the search's limits.
        trials_done: progress.
        started_at: UTC.
        error: why it failed, where it did.
        version: the name of the version it made, once it did.
    """

    model: str
    run_id: str
    data_version: str
    split: Mapping[str, Any]
    seed: int
    budget: SearchBudget
    started_at: datetime
    phase: RunPhase = RunPhase.SEARCHING
    trials_done: int = 0
    result: TrainingResult | None = None
    error: str = ""
    version: str = ""

    @property
    def id(self) -> str:
        """``"<model>/<run id>"``."""
        return f"{self.model}/{self.run_id}"
