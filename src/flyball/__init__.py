"""Flyball keeps machine-learning models in production healthy.

``Flyball`` has the verbs of the command line in Python; every error derives from ``FlyballError``.
Names are loaded on first use, so that importing ``flyball`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyball.errors import (
        AlreadyRunning,
        ArtifactCorrupt,
        BatchConflict,
        ConfigurationError,
        DataQualityError,
        DeploymentError,
        EnvironmentFailed,
        FlyballError,
        IllegalTransition,
        InvalidRequest,
        LedgerBroken,
        NotFound,
        SchemaChanged,
        StaleWrite,
        StorageUnavailable,
        TrainingError,
        ValidationError,
    )
    from flyball.verbs import Flyball

__version__ = "0.1.0"
__all__ = [
    "AlreadyRunning",
    "ArtifactCorrupt",
    "BatchConflict",
    "ConfigurationError",
    "DataQualityError",
    "DeploymentError",
    "EnvironmentFailed",
    "Flyball",
    "FlyballError",
    "IllegalTransition",
    "InvalidRequest",
    "LedgerBroken",
    "NotFound",
    "SchemaChanged",
    "StaleWrite",
    "StorageUnavailable",
    "TrainingError",
    "ValidationError",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'flyball' has no attribute {name!r}")
    return getattr(import_module("flyball.verbs" if name == "Flyball" else "flyball.errors"), name)
