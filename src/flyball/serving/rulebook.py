"""The business rules that a worker follows, by model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from flyball.domain.rules import Rules
from flyball.errors import ConfigurationError
from flyball.ports import Application, Records


class Rulebook:
    """Reads the recorded rules when asked to, and keeps what the application made of them.

    Written by one thread, read by any.

    Args:
        applications: by model.
    """

    def __init__(self, applications: Mapping[str, Application]) -> None:
        self._applications = applications
        self._revisions = dict.fromkeys(applications, 0)
        self._read = {model: app.read_rules({}) for model, app in applications.items()}
        self._log = structlog.get_logger("flyball.worker")

    def follow(self, records: Records) -> None:
        """Read what changed. Rules that this version cannot read leave those before in force.

        Raises:
            StorageUnavailable: the database cannot be read.
        """
        for rules in records.find(Rules):
            known = self._revisions.get(rules.model)
            if known is None or known == rules.revision:
                continue
            self._revisions[rules.model] = rules.revision
            try:
                self._read[rules.model] = self._applications[rules.model].read_rules(rules.document)
            except ConfigurationError as error:
                self._log.error(
                    "the business rules cannot be read; those before stay in force",
                    model=rules.model,
                    revision=rules.revision,
                    reason=str(error),
                )

    def of(self, model: str) -> Any:
        """The rules in force of a model."""
        return self._read[model]
