"""Where two artifacts differ: which files, how many bytes, which arrays, how far apart.

The child's half of ``flyball.steps.reproduce``: arrays may be large, and evaluating takes memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import plugins
from flyball.domain.canonical import digest, plain
from flyball.errors import ArtifactCorrupt
from flyball.ports import Application
from flyball.steps.fit import read_tables
from flyball.steps.manifest import NAME, file_digests, sha256_of
from flyball.steps.reproduction import ArrayPair, FilePair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK = 1 << 20
"""Bytes or values that are compared at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRequest:
    """What to compare; JSON types only.

    Attributes:
        application: the plug-in's name.
        recorded, again: directories of the two artifacts.
        tables: paths of the dataset version's Parquet files by table, in order of arrival.
        seed: of the split.
        measure: whether to work out how exact the metrics are.
    """

    application: str
    recorded: str
    again: str
    tables: Mapping[str, Sequence[str]]
    seed: int
    measure: bool


def compare(request: Mapping[str, Any]) -> dict[str, Any]:
    """In a child process: ``carried_out`` of a ``CompareRequest``."""
    asked = CompareRequest(**request)
    return carried_out(asked, application=plugins.application(asked.application))


def carried_out(request: CompareRequest, *, application: Application) -> dict[str, Any]:
    """The files that differ, and standard errors of the metrics of the new artifact.

    Returns:
        JSON: ``files`` (as ``FilePair``), ``errors`` by metric; none where not asked for, and of
        metrics that are no means.

    Raises:
        ArtifactCorrupt: an array cannot be read.
        TrainingError: the data cannot be read.
    """
    files = differences(Path(request.recorded), Path(request.again))
    errors: dict[str, float] = {}
    if request.measure:
        prepared = application.prepare(read_tables(request.tables), seed=request.seed)
        judged = application.evaluate_artifact(Path(request.again), prepared.final)
        errors = {name: standard_error(values) for name, values in judged.units.items()}
    return {"files": [plain(one) for one in files], "errors": errors}


def standard_error(units: NDArray[Any]) -> float:
    """Of the mean of ``units``, shape (n,): s / sqrt(n), s with n - 1; 0.0 for fewer than two."""
    return float(units.std(ddof=1) / len(units) ** 0.5) if len(units) > 1 else 0.0


def content_digest(directory: Path) -> str:
    """The digest of a directory's content: the one that ``Blobs`` names it by."""
    sums = {**file_digests(directory), NAME: sha256_of(directory / NAME)}
    return digest(
        [
            {"path": name, "size": (directory / name).stat().st_size, "sha256": sums[name]}
            for name in sorted(sums)
        ]
    )


def differences(recorded: Path, again: Path) -> tuple[FilePair, ...]:
    """Files that are not the same in two directories, by path, the manifest last.

    Raises:
        ArtifactCorrupt: an array cannot be read.
    """
    names = {
        path.relative_to(folder).as_posix()
        for folder in (recorded, again)
        for path in folder.rglob("*")
        if path.is_file()
    }
    pairs = (
        _pair(name, recorded / name, again / name)
        for name in sorted(names, key=lambda name: (name == NAME, name))
    )
    return tuple(pair for pair in pairs if pair is not None)


def _pair(name: str, before: Path, now: Path) -> FilePair | None:
    """How one file differs; None where it does not."""
    sizes = [path.stat().st_size if path.is_file() else None for path in (before, now)]
    if None in sizes:
        whole = sizes[0] if sizes[0] is not None else sizes[1]
        return FilePair(path=name, recorded=sizes[0], again=sizes[1], differing=whole or 0)
    differing = _bytes_apart(before, now)
    if not differing:
        return None
    arrays = tuple(_arrays_apart(before, now))
    return FilePair(
        path=name, recorded=sizes[0], again=sizes[1], differing=differing, arrays=arrays
    )


def _bytes_apart(before: Path, now: Path) -> int:
    import numpy as np

    count = 0
    with before.open("rb") as one, now.open("rb") as other:
        while True:
            a, b = one.read(_CHUNK), other.read(_CHUNK)
            if not a and not b:
                return count
            least = min(len(a), len(b))
            if a[:least] != b[:least]:
                left, right = (np.frombuffer(part[:least], dtype=np.uint8) for part in (a, b))
                count += int((left != right).sum())
            count += max(len(a), len(b)) - least


def _arrays_apart(before: Path, now: Path) -> Iterator[ArrayPair]:
    """How the arrays of a file differ; nothing for a file that holds none."""
    opened = {".npy": _npy, ".safetensors": _safetensors}.get(before.suffix)
    if opened is None:
        return
    try:
        ours, theirs = opened(before), opened(now)
    except (OSError, ValueError, EOFError, ImportError) as error:
        raise ArtifactCorrupt(
            f"an array of {before.name} cannot be read: {error}; train the version again"
        ) from error
    for name in sorted({*ours, *theirs}):
        if name not in ours or name not in theirs:
            yield ArrayPair(name=name, detail="only one of the two has it")
        elif (pair := _apart(name, ours[name], theirs[name])) is not None:
            yield pair


def _npy(path: Path) -> dict[str, NDArray[Any]]:
    import numpy as np

    return {"": np.load(path, mmap_mode="r", allow_pickle=False)}


def _safetensors(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _apart(name: str, ours: NDArray[Any], theirs: NDArray[Any]) -> ArrayPair | None:
    """How two arrays differ; None where only their bytes on disk do (order, padding)."""
    if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
        said = f"{theirs.dtype} of shape {theirs.shape} instead of {ours.dtype} of {ours.shape}"
        return ArrayPair(name=name, values=ours.size, detail=said)
    numeric, differing, largest = ours.dtype.kind in "fiub", 0, 0.0
    a, b = ours.ravel(order="K"), theirs.ravel(order="K")
    for start in range(0, a.size, _CHUNK):
        one, other = a[start : start + _CHUNK], b[start : start + _CHUNK]
        unlike = _unlike(one, other)
        if numeric and unlike.any():
            apart = abs(one[unlike].astype(float) - other[unlike].astype(float))
            largest = max(largest, float(apart.max()))
        differing += int(unlike.sum())
    if not differing:
        return None
    return ArrayPair(
        name=name, values=ours.size, differing=differing, largest=largest if numeric else None
    )


def _unlike(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values differ; two that are no numbers (NaN) are alike."""
    import numpy as np

    unlike: NDArray[np.bool_] = np.asarray(one != other)
    if one.dtype.kind == "f":
        unlike &= ~(np.isnan(one) & np.isnan(other))
    return unlike
