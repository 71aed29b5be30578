"""Checkpoints of a training: written so that a kill at any moment leaves the old or the new one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flyball.errors import StorageUnavailable
from flyball.recommend.sasrec.config import SasRecConfig
from flyball.recommend.sasrec.extra import required
from flyball.recommend.sasrec.lessons import Lesson

Arrays = Mapping[str, NDArray[Any]]

FORMAT = 1
"""Raised when what a checkpoint means changes: older ones are then not continued."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """The checkpoints of one fit.

    Attributes:
        directory: made if absent.
        request: a digest of all that the weights depend on: another fit finds other files.
    """

    directory: Path
    request: str

    def path(self, phase: str) -> Path:
        """The checkpoint of a phase."""
        return self.directory / f"sasrec-{self.request}-{phase}.safetensors"

    def keep(self, phase: str, arrays: Arrays, facts: Mapping[str, Any]) -> None:
        """Replace the checkpoint of a phase, and be sure that it is on disk.

        Raises:
            StorageUnavailable: the disk refused it; the old one stands.
        """
        metadata = {"request": self.request, "facts": json.dumps(facts)}
        content = required("safetensors.numpy").save(dict(arrays), metadata=metadata)
        write_safely(self.path(phase), content)

    def found(self, phase: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The newest checkpoint of a phase: its arrays and facts.

        None where there is none. One that cannot be read counts as none: training anew gives the
        same weights, only later.
        """
        safetensors = required("safetensors")
        try:
            with safetensors.safe_open(str(self.path(phase)), framework="numpy") as opened:
                metadata = opened.metadata() or {}
                if metadata.get("request") != self.request:
                    return None
                arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
                return arrays, json.loads(metadata["facts"])
        except (OSError, ValueError, KeyError, safetensors.SafetensorError):
            return None

    def done(self) -> None:
        """Remove all that was left here for this fit: its weights are with who asked for them."""
        for path in self.directory.glob(f"sasrec-{self.request}-*"):
            if path.is_dir():  # of several processes, whose parent was killed
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def write_safely(path: Path, content: bytes) -> None:
    """Write a file so that its name never stands for half of it.

    Raises:
        StorageUnavailable: the disk refused it.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageUnavailable(
            f"cannot write {path}: {error}; free some space or choose a writable home"
        ) from error


def request_digest(lesson: Lesson, config: SasRecConfig) -> str:
    """32 hex digits of all that the weights depend on."""
    held, data = lesson.held, lesson.data
    about = [FORMAT, required("torch").__version__, config.model_dump(mode="json")]
    digest = hashlib.blake2b(json.dumps(about).encode(), digest_size=16)
    parts = [data.matrix.indptr, data.matrix.indices, data.days]
    if held is not None:
        parts += [held.train.matrix.indptr, held.train.matrix.indices, held.train.days]
        parts += [held.test.indptr, held.test.indices, held.as_of]
    for part in (*parts, np.array(data.matrix.shape)):
        content = b"" if part is None else np.ascontiguousarray(part).tobytes()
        digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()
