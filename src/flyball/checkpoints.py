"""Where a long fit may keep its checkpoints: named by who starts it, asked by who fits.

``Model.fit(data, config)`` has no directory, and most families need none. Whoever starts a fit that
may be killed and continued opens one around it::

    with checkpoints.kept_in(scratch / "checkpoints"):
        model = family.fit(data, config)

A family that takes long asks ``directory()``, and names its files by a digest of everything that
the fit depends on, so that several fits may share the directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_DIRECTORY: ContextVar[Path | None] = ContextVar("checkpoints", default=None)


def directory() -> Path | None:
    """Where to keep checkpoints; None: nowhere, a fit that is cut off begins anew.

    It need not exist yet. The answer holds for this thread or task (``contextvars``).
    """
    return _DIRECTORY.get()


@contextmanager
def kept_in(directory: Path | None) -> Iterator[None]:
    """Fits within the block keep their checkpoints there; each removes its own when it is done."""
    token = _DIRECTORY.set(directory)
    try:
        yield
    finally:
        _DIRECTORY.reset(token)
