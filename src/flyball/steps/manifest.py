"""``manifest.json``: what an artifact is made of, and digests of what it was made from.

It holds nothing that differs between two runs which make the same model: no time, no run id, no
path. So the same data, code, environment, seed and winner give the same artifact, byte for byte.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import flyball
from flyball.domain.canonical import digest, plain
from flyball.errors import ArtifactCorrupt, StorageUnavailable

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of ``manifest.json``.

    Attributes:
        model, family: whose model it is, and its algorithm.
        architecture: algorithm and feature code with their versions, ``"games@1/ease@1"``.
        data_version: the dataset version's DVC hash.
        hyperparameters, split: JSON types.
        seeds: by what they were used for.
        threads: BLAS threads of the fit; another number may change the last bits.
        metrics: on the held-out test part, by name.
        code: ``code_fingerprint`` of the application.
        environment: ``environment_digest`` of the fit.
        files: SHA-256 (hex) of each other file of the artifact, by its path in it.
        format_version: of this file.
    """

    model: str
    family: str
    architecture: str
    data_version: str
    hyperparameters: Mapping[str, Any]
    split: Mapping[str, Any]
    seeds: Mapping[str, int]
    threads: int
    metrics: Mapping[str, float]
    code: str
    environment: str
    files: Mapping[str, str] = field(default_factory=dict)
    format_version: int = FORMAT


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write ``manifest`` with the digests of every file that is in ``directory``.

    Raises:
        StorageUnavailable: the disk refused it.
    """
    content = {**plain(manifest), "files": file_digests(directory)}
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        (directory / NAME).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageUnavailable(
            f"cannot write {directory / NAME}: {error.strerror}; free some space"
        ) from error


def read_manifest(directory: Path) -> Manifest:
    """The manifest of an artifact.

    Raises:
        ArtifactCorrupt: it is missing, not JSON, of another format or not complete.
    """
    path = directory / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(**content)
    except (OSError, ValueError, TypeError) as error:
        raise ArtifactCorrupt(
            f"{path} cannot be read: {error}; restore the artifact or train again"
        ) from error
    if manifest.format_version != FORMAT:
        raise ArtifactCorrupt(
            f"{path} has format {manifest.format_version}, this Flyball reads {FORMAT}; "
            "use the Flyball that wrote it or train again"
        )
    return manifest


def file_digests(directory: Path) -> dict[str, str]:
    """SHA-256 (hex) of every file below ``directory`` but the manifest, by relative path."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {
        name: sha256_of(path)
        for path in files
        if (name := path.relative_to(directory).as_posix()) != NAME
    }


def code_fingerprint(*parts: object) -> str:
    """SHA-256 (hex) over Flyball's own files and the modules of ``parts`` that live elsewhere.

    Args:
        parts: classes or instances whose code decides the result: the application, its models.
    """
    package = Path(flyball.__file__).parent
    files = {"flyball": _package_digest()}
    for part in parts:
        kind = part if isinstance(part, type) else type(part)
        source = inspect.getsourcefile(kind)
        if source and not Path(source).is_relative_to(package):
            files[kind.__module__] = sha256_of(Path(source))
    return digest(files)


@cache
def _package_digest() -> str:
    """Read once a process: what runs is what was loaded, whatever is edited meanwhile."""
    package = Path(flyball.__file__).parent
    return digest(
        {
            path.relative_to(package).as_posix(): sha256_of(path)
            for path in package.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    )


@cache
def packages() -> tuple[str, ...]:
    """The installed distributions, as sorted ``name==version``."""
    return tuple(sorted({f"{d.name.lower()}=={d.version}" for d in metadata.distributions()}))


def environment_digest() -> str:
    """SHA-256 (hex) over the installed ``packages``."""
    return digest(packages())


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
