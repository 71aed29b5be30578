"""Files of this machine: one, those that match a pattern, or all of a directory."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flyball.domain.nearest import did_you_mean
from flyball.errors import DataQualityError, EnvironmentFailed, NotFound
from flyball.storage.fetching.patterns import MARKERS, is_pattern, literal_prefix, passed_over


def files(location: str) -> list[Path]:
    """The files that a location means, sorted by path.

    Args:
        location: a file, a directory (its files, and those of the directories in it; hidden ones
            and links out of it are not meant), or a pattern with ``*``, ``?``, ``[...]``, ``**``.

    Raises:
        NotFound: there is none; names the nearest.
        DataQualityError: the directory has no file.
        EnvironmentFailed: it may not be read.
    """
    path = Path(location)
    with _allowed(location):
        if path.is_dir():
            return _below(path)
        if path.exists():
            return [_regular(path)]
        if os.path.lexists(location):
            raise NotFound(f"{location} is a link to a file that is not there")
        if is_pattern(location):
            return _matching(location)
    raise NotFound(f"there is no file {location}{_near(path)}")


def _regular(path: Path) -> Path:
    if not path.is_file():
        raise EnvironmentFailed(
            f"{path} is a pipe or a device, which can be read only once; give its content as "
            "standard input, with - as the location"
        )
    return path


def _below(directory: Path) -> list[Path]:
    found = []
    real = directory.resolve()
    for folder, _, names in os.walk(directory, onerror=_refused):
        for name in names:
            path = Path(folder, name)
            if passed_over(path.relative_to(directory).as_posix()) or not path.is_file():
                continue
            if path.resolve().is_relative_to(real):
                found.append(path)
    if not found:
        raise DataQualityError(
            f"the directory {directory} has no file to read (hidden ones and links out of it do "
            "not count); check the path"
        )
    return sorted(found)


def _matching(pattern: str) -> list[Path]:
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]
    chosen = sorted(path for path in found if path.is_file() and path.name not in MARKERS)
    if chosen:
        return chosen
    folder = Path(literal_prefix(pattern).rpartition("/")[0] or ".")
    raise NotFound(f"nothing matches {pattern}{_near(folder / Path(pattern).name)}")


def _near(path: Path) -> str:
    """The file beside it that may have been meant, in words."""
    try:
        known = [each.name for each in path.parent.iterdir()]
    except OSError:
        return f"; there is no directory {path.parent}"
    return did_you_mean(path.name, known)


def _refused(error: OSError) -> None:
    raise error


@contextmanager
def _allowed(location: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise EnvironmentFailed(
            f"{location} may not be read: {words}; check its name and permissions"
        ) from error
