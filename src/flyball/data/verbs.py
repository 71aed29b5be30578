"""All verbs of ``flyball data`` on one installation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flyball.data.lineage import Lineage
from flyball.data.privacy import Privacy
from flyball.data.profile import Profiles
from flyball.data.quarantine import Quarantine
from flyball.data.schema import Schemas
from flyball.data.versions import Versions
from flyball.wiring import Platform


class Data(Profiles, Versions, Schemas, Quarantine, Privacy, Lineage):
    """What is in the datasets, where it came from and what it may hold.

    Args:
        ingest: the verb that adds a batch: rows repaired in a quarantine come back by it.
    """

    def __init__(self, platform: Platform, actor: str, *, ingest: Callable[..., Any]) -> None:
        super().__init__(platform, actor)
        self.ingest = ingest
