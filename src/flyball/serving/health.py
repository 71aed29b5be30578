"""What a worker tells of one model's versions."""

from __future__ import annotations

from typing import Any

from flyball.domain.routing import SlotPhase
from flyball.serving.slots import Slots


def model_health(slots: Slots) -> dict[str, Any]:
    """What serves, what is wanted, and how far each version has come."""
    snapshot, route = slots.snapshot, slots.route
    return {
        "serving": None if snapshot is None else snapshot.champion.version,
        "challenger_share": 0.0 if snapshot is None else snapshot.route.challenger_share,
        "generation": slots.applied,
        "wanted_generation": 0 if route is None else route.generation,
        "live": None if snapshot is None else str(snapshot.route.live),
        "slots": {
            name.partition("/")[2]: {
                "version": status.version,
                "phase": str(status.phase),
                "detail": status.detail,
            }
            for name, status in slots.statuses().items()
        },
    }


def unready_reason(slots: Slots) -> str:
    """Why a model whose route names a live version cannot answer yet."""
    failed = [s for s in slots.statuses().values() if s.phase is SlotPhase.FAILED]
    if failed:
        return f"version {failed[0].version} cannot be loaded: {failed[0].detail}"
    return "its version is being loaded"
