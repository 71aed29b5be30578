"""What a fetch gives: local files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One local file with rows.

    Attributes:
        path: where it lies. Only to be read: it may be the user's own file.
        name: what messages call it: its place in the source, without passwords.
        pseudonymous: its personal columns hold pseudonyms already (the product's own events).
    """

    path: Path
    name: str
    pseudonymous: bool = False
