"""Artifact integrity: the stored bytes are the ones training wrote, and none can run code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from flyball.domain.validation import CheckResult, Verdict
from flyball.errors import ArtifactCorrupt
from flyball.ports import CheckContext

MANIFEST = "manifest.json"

SAFE = frozenset({".json", ".jsonl", ".npy", ".parquet", ".safetensors", ".txt"})
"""File types that hold data only. Anything else might be a pickle, and is refused."""


class ArtifactIntegrity:
    """Every byte is as recorded, in the store and in the manifest, and no file type is unsafe."""

    name: ClassVar[str] = "artifact"

    def run(self, context: CheckContext) -> CheckResult:
        """Judge. A damaged artifact is a verdict here, not an error."""
        candidate = context.candidate
        try:
            directory = context.blobs.get(candidate.artifact, verify=True)
            recorded = _recorded(directory)
        except ArtifactCorrupt as error:
            return _failed(str(error), {"digest": candidate.artifact})
        wrong = [*_differences(directory, recorded), *_unsafe(directory)]
        size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
        details = {
            "digest": candidate.artifact,
            "files": len(recorded),
            "bytes": size,
            "wrong": wrong,
        }
        if wrong:
            return _failed("; ".join(wrong), details)
        return CheckResult(
            check=self.name,
            verdict=Verdict.PASS,
            summary=(
                f"{len(recorded)} files ({size / 1e6:.1f} MB) match their digests; "
                "none can hold a pickle"
            ),
            details=details,
        )


def _failed(reason: str, details: Mapping[str, Any]) -> CheckResult:
    return CheckResult(
        check=ArtifactIntegrity.name,
        verdict=Verdict.FAIL,
        summary=reason,
        recommendation="do not use this artifact; restore it from a backup or train again",
        details=details,
    )


def _recorded(directory: Path) -> Mapping[str, str]:
    """The digests of ``manifest.json``, by file."""
    path = directory / MANIFEST
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactCorrupt(f"{MANIFEST} lists no digests ({error!r})") from error


def _differences(directory: Path, recorded: Mapping[str, str]) -> list[str]:
    """What is missing, changed or not listed, in words."""
    present = {
        name: path
        for path in directory.rglob("*")
        if path.is_file() and (name := path.relative_to(directory).as_posix()) != MANIFEST
    }
    missing = [f"{name} is missing" for name in sorted(recorded.keys() - present.keys())]
    added = [f"{name} is not in the manifest" for name in sorted(present.keys() - recorded.keys())]
    changed = [
        f"{name} was changed"
        for name, digest in sorted(recorded.items())
        if name in present and _sha256(present[name]) != digest
    ]
    return [*missing, *added, *changed]


def _unsafe(directory: Path) -> list[str]:
    """Files that might run code when they are loaded, in words."""
    found = []
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        name = path.relative_to(directory).as_posix()
        if path.suffix not in SAFE:
            found.append(f"{name} has a file type that is not known to be safe")
        elif path.suffix == ".npy" and not _plain_array(path):
            found.append(f"{name} is not an array of plain numbers or text")
    return found


def _plain_array(path: Path) -> bool:
    try:
        np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
