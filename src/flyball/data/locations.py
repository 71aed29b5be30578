"""What people call a source, as a location that any process of this machine can read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from flyball.data.part import Part
from flyball.domain.data import DataBatch
from flyball.errors import DataQualityError, InvalidRequest

STDIN = "-"
_SQLITE = "sqlite:///"


class Locations(Part):
    """Sources made absolute: the process that reads them may have another working directory."""

    def of(
        self,
        model: str,
        sources: Sequence[str],
        *,
        query: str | None = None,
        from_events: bool = False,
        stdin: BinaryIO | None = None,
        incoming: Path | None = None,
    ) -> list[str]:
        """The location of each source.

        Args:
            sources: paths, globs, directories, URLs; ``"-"`` is ``stdin``.
            query: the SELECT statement for the one source, which is a database's URL.
            from_events: also the model's own events that no batch has yet.
            stdin: where ``"-"`` is read from, at once.
            incoming: where it is kept; default the folder of the home that an ingest clears.

        Raises:
            InvalidRequest: a query without exactly one database.
            DataQualityError: there are no events that no batch has yet.
        """
        if query is not None and (len(sources) != 1 or "://" not in sources[0]):
            raise InvalidRequest(
                "--query reads one database: give its URL as the only SOURCE, for example "
                "postgresql+psycopg://reader@db/shop"
            )
        # standard input comes last: what is refused leaves nothing of it behind
        events = [self._events(model)] if from_events else []
        found = [self._located(source, stdin, incoming) for source in sources]
        if query is not None:
            found = [f"{found[0]}#{query}"]
        return [*found, *events]

    def _located(self, source: str, stdin: BinaryIO | None, incoming: Path | None) -> str:
        if source == STDIN:
            return self._spooled(stdin, incoming)
        if source.startswith(_SQLITE):
            path, mark, select = source.removeprefix(_SQLITE).partition("#")
            return f"{_SQLITE}{_absolute(path)}{mark}{select}"
        if "://" in source or source.startswith("repair:"):
            return source
        return _absolute(source)

    def _spooled(self, stdin: BinaryIO | None, incoming: Path | None) -> str:
        if stdin is None:
            raise InvalidRequest("there is no standard input to read here; give a file instead")
        from flyball.steps.origin import INCOMING
        from flyball.storage.fetching.spool import spool
        from flyball.storage.files import made

        incoming = incoming or made(self.platform.home / INCOMING)
        return str(spool(stdin, incoming, by=self.platform.scratch()))

    def _events(self, model: str) -> str:
        from flyball.steps.origin import own_events

        batches = self.platform.records.find(DataBatch, model=self._known(model))
        after = max((batch.events_until for batch in batches), default=0)
        until = self.platform.events.last()
        if until <= after:
            raise DataQualityError(
                f"there are no events of {model} that are not in a batch yet (the last one was "
                f"number {after}); they come with POST /v1/events"
            )
        return own_events(model, after, until)


def _absolute(path: str) -> str:
    """Not resolved: a glob stays one, and a link keeps its name."""
    return path if not path or path.startswith(":memory:") else os.path.abspath(path)
