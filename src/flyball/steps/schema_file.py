"""Schemas in a file of their own: what ``flyball data infer`` writes and people review."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from flyball.domain.schema import Schema
from flyball.domain.table_schema import package_bytes, package_from
from flyball.errors import ConfigurationError, StorageUnavailable


def load_schemas(path: Path, *, needed: str = "") -> tuple[Schema, ...]:
    """The tables that a data package describes.

    Args:
        needed: the name of a table that must be among them; empty for none.

    Raises:
        ConfigurationError: it cannot be read, is wrong, or lacks that table; names the file, the
            field and the nearest valid name.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the schema file {path} cannot be read: {error.strerror or error}; "
            "write one with `flyball data infer SOURCE --out FILE`"
        ) from error
    found = package_from(content, source=str(path))
    names = [schema.name for schema in found]
    if needed and needed not in names:
        raise ConfigurationError(
            f"the schema file {path} has no table {needed!r}, from which models learn; it has "
            f"{', '.join(names)}: give that resource the name {needed!r}, or write the file anew "
            f"with `flyball data infer SOURCE --name {needed} --out FILE`"
        )
    return found


def write_package(package: Mapping[str, Any], path: Path) -> None:
    """Write a data package; the file appears whole or not at all.

    Raises:
        StorageUnavailable: it cannot be written.
    """
    temporary: Path | None = None
    try:
        with NamedTemporaryFile(
            "wb", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(package_bytes(package))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise StorageUnavailable(
            f"the schema cannot be written to {path}: {error.strerror or error}; "
            "choose a folder that is there and that you may write to"
        ) from error
