"""A value of each kind in one call. Any field can be overridden by its name.

The defaults tell one story, so that values made apart fit together: the model ``games``, one batch,
the dataset version it makes, the run that learnt from it, version 1.0.0, its report, its
deployment and its route.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flyball.domain.data import DataBatch, DatasetVersion, Finding
from flyball.domain.deployment import Deployment
from flyball.domain.evidence import Evidence, EvidenceKind
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.names import Recipe
from flyball.domain.routing import Route, Slot, SlotPhase, SlotStatus, WorkerStatus
from flyball.domain.traffic import Event, EventType, Shown, Window
from flyball.domain.training import Run, RunPhase, SearchBudget, TrainingResult, Trial
from flyball.domain.validation import CheckResult, Decision, ValidationReport, Verdict

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""When everything that the builders make happens."""

MODEL = "games"
DATA_VERSION = "0123abcd" * 4
SHA = "5e" * 32
"""A SHA-256 in hex, of nothing in particular."""


def a_batch(**fields: Any) -> DataBatch:
    """A batch of ten rows, of which one more was left out."""
    finding = Finding(rule="not_null:user_id", count=1, dropped=True, detail="line 7")
    defaults: dict[str, Any] = {
        "model": MODEL,
        "batch_id": "5e5e5e5e5e5e",
        "digest": SHA,
        "file": "0001-5e5e5e5e5e5e.parquet",
        "md5": "ab" * 16,
        "source": "players.csv",
        "rows": 10,
        "findings": (finding,),
        "profile": {"columns": {"hours": {"nulls": 0, "quantiles": [0.1, 2.5, 40.0]}}},
        "ingested_at": NOON,
    }
    return DataBatch(**(defaults | fields))


def a_dataset(**fields: Any) -> DatasetVersion:
    """The dataset version that ``a_batch`` makes."""
    defaults: dict[str, Any] = {
        "model": MODEL,
        "version": DATA_VERSION,
        "batches": ("5e5e5e5e5e5e",),
        "files": {"0001-5e5e5e5e5e5e.parquet": "ab" * 16},
        "rows": 10,
        "created_at": NOON,
    }
    return DatasetVersion(**(defaults | fields))


def a_trial(**fields: Any) -> Trial:
    """One tried configuration of EASE."""
    defaults: dict[str, Any] = {
        "number": 0,
        "family": "ease",
        "hyperparameters": {"l2": 30.0, "dropout": 0.2},
        "value": 0.51,
        "seconds": 1.5,
    }
    return Trial(**(defaults | fields))


def a_result(**fields: Any) -> TrainingResult:
    """What ``a_run`` made."""
    defaults: dict[str, Any] = {
        "family": "ease",
        "hyperparameters": {"l2": 30.0, "dropout": 0.2},
        "metrics": {"ndcg@10": 0.515},
        "trials": (a_trial(), a_trial(number=1, value=None)),
        "artifact": SHA,
        "tracked_as": "f00d" * 8,
    }
    return TrainingResult(**(defaults | fields))


def a_run(**fields: Any) -> Run:
    """A finished run over ``a_dataset``."""
    defaults: dict[str, Any] = {
        "model": MODEL,
        "run_id": "00112233445566ff",
        "data_version": DATA_VERSION,
        "split": {"kind": "random", "share": 0.2, "seed": 7},
        "seed": 7,
        "budget": SearchBudget(trials=12, timeout_s=600.0),
        "started_at": NOON,
        "phase": RunPhase.DONE,
        "trials_done": 2,
        "result": a_result(),
    }
    return Run(**(defaults | fields))


def a_recipe(**fields: Any) -> Recipe:
    """How ``a_version`` was made."""
    defaults: dict[str, Any] = {
        "architecture": "games@1/ease@1",
        "hyperparameters": {"l2": 30.0, "dropout": 0.2},
        "data_version": DATA_VERSION,
    }
    return Recipe(**(defaults | fields))


def a_version(number: str = "1.0.0", **fields: Any) -> ModelVersion:
    """A version in development; its name is ``number`` with the hashes of its recipe."""
    recipe = fields.get("recipe") or a_recipe()
    defaults: dict[str, Any] = {
        "model": MODEL,
        "name": f"{number}-{recipe.data_hash}-{recipe.hyper_hash}",
        "family": "ease",
        "recipe": recipe,
        "run_id": "00112233445566ff",
        "artifact": SHA,
        "metrics": {"ndcg@10": 0.515},
        "created_at": NOON,
    }
    return ModelVersion(**(defaults | fields))


def a_check(verdict: Verdict = Verdict.PASS, **fields: Any) -> CheckResult:
    """One check's result."""
    defaults: dict[str, Any] = {
        "check": "accuracy",
        "verdict": verdict,
        "summary": "NDCG@10 0.515 against 0.140 of popularity",
        "recommendation": "" if verdict is Verdict.PASS else "train on more data",
        "details": {"ndcg@10": {"candidate": 0.515, "baseline": 0.14}},
        "seconds": 0.5,
    }
    return CheckResult(**(defaults | fields))


def a_report(**fields: Any) -> ValidationReport:
    """A report that promotes ``a_version``."""
    defaults: dict[str, Any] = {
        "model": MODEL,
        "version": a_version().name,
        "report_id": "aabbccddeeff0011",
        "champion": "",
        "data_version": DATA_VERSION,
        "results": (a_check(),),
        "decision": Decision.PROMOTE,
        "recommendations": ("deploy it",),
        "created_at": NOON,
        "artifact": SHA,
    }
    return ValidationReport(**(defaults | fields))


def a_deployment(**fields: Any) -> Deployment:
    """The first deployment of ``a_version``, loading."""
    defaults: dict[str, Any] = {
        "model": MODEL,
        "version": a_version().name,
        "ordinal": 1,
        "replaces": "",
        "strategy": "blue-green",
        "started_at": NOON,
        "moved_at": NOON,
    }
    return Deployment(**(defaults | fields))


def a_route(**fields: Any) -> Route:
    """``a_version`` serves everybody from the blue slot; the green one is empty."""
    defaults: dict[str, Any] = {
        "model": MODEL,
        "generation": 1,
        "slots": {Slot.BLUE: a_version().name},
        "live": Slot.BLUE,
        "salt": "games/1",
    }
    return Route(**(defaults | fields))


def a_worker(
    worker: str = "host:1", *, slots: Mapping[str, SlotStatus] | None = None, **fields: Any
) -> WorkerStatus:
    """A worker that has ``a_version`` ready in ``games/blue`` and applied generation 1."""
    ready = SlotStatus(version=a_version().name, phase=SlotPhase.READY, detail="3 answered")
    defaults: dict[str, Any] = {
        "worker": worker,
        "url": "http://127.0.0.1:8000",
        "started_at": NOON,
        "seen_at": NOON,
        "applied": {MODEL: 1},
        "slots": {"games/blue": ready} if slots is None else slots,
        "rss_bytes": 123_456_789,
    }
    return WorkerStatus(**(defaults | fields))


def evidence(kind: EvidenceKind = EvidenceKind.DECISION, **fields: Any) -> Evidence:
    """Evidence of a kind."""
    defaults: dict[str, Any] = {"kind": kind, "id": "games/aabbccddeeff0011", "digest": SHA}
    return Evidence(**(defaults | fields))


def an_entry(**fields: Any) -> Entry:
    """What the ledger says of a version that passed its tests."""
    defaults: dict[str, Any] = {
        "at": NOON,
        "actor": "control",
        "action": "transition",
        "subject": a_version().id,
        "model": MODEL,
        "reason": "tests passed",
        "before": "validation",
        "after": "staging",
        "evidence": evidence(EvidenceKind.REPORT),
    }
    return Entry(**(defaults | fields))


def an_event(event_id: str = "event-1", **fields: Any) -> Event:
    """A player bought a game."""
    defaults: dict[str, Any] = {
        "event_id": event_id,
        "model": MODEL,
        "type": EventType.PURCHASE,
        "user_id": "player-1",
        "item_id": "portal-2",
        "recommendation_id": f"0a1b.{a_version().name}",
        "value": 9.99,
        "timestamp": NOON,
        "received_at": NOON,
    }
    return Event(**(defaults | fields))


def a_list(recommendation_id: str = "0a1b.1.0.0", **fields: Any) -> Shown:
    """A list of two games, shown to one player at noon."""
    defaults: dict[str, Any] = {
        "recommendation_id": recommendation_id,
        "shown_at": int(NOON.timestamp() * 1000),
        "model": MODEL,
        "version": a_version().name,
        "variant": "champion",
        "share": 1.0,
        "user_id": "player-1",
        "k": 2,
        "item_ids": ["portal-2", "metroid"],
        "propensities": [1.0, 1.0],
        "fallback": "",
        "filtered": False,
        "trace_id": "",
    }
    return Shown(**(defaults | fields))


def a_window(requests: int = 10, errors: int = 0, **fields: Any) -> Window:
    """One second of ``a_version``, each answer in a few milliseconds."""
    from flyball.stats.latency import bucket, empty  # numpy, which the others do not need

    latency = empty()
    latency[bucket(0.004)] = requests
    defaults: dict[str, Any] = {
        "model": MODEL,
        "version": a_version().name,
        "worker": "host:1",
        "start": NOON,
        "seconds": 1.0,
        "requests": requests,
        "errors": errors,
        "latency": tuple(latency),
        "feedback": {"click": 1},
    }
    return Window(**(defaults | fields))
