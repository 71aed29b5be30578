"""From a location, as a user writes it, to local files with rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from flyball.errors import ConfigurationError, InvalidRequest
from flyball.ports import Events
from flyball.storage.fetching import local
from flyball.storage.fetching.fetched import Fetched
from flyball.storage.fetching.landing import demand, place
from flyball.storage.fetching.retrying import Patience
from flyball.storage.fetching.shown import scheme, shown

_DEMAND = re.compile(r"#sha256=([0-9a-fA-F]{64})\Z")
_TYPED = re.compile(r"#sha-?256=", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Brings the files of a source here, and never alters the source. Thread-safe.

    Attributes:
        events: the product's own; None where no location may name them.
        patience: with servers that fail, are slow or break off.
    """

    events: Events | None = None
    patience: Patience = field(default_factory=Patience)

    def fetch(self, location: str, into: Path) -> list[Fetched]:
        """The local files that a location means.

        Args:
            location: a file, a glob, a directory, ``http(s)://...``, ``s3://bucket/key`` (or a
                pattern, or a prefix that ends in ``/``), ``<SQLAlchemy URL>#<SELECT>``,
                ``events:MODEL:AFTER:UNTIL``. A single file may end in ``#sha256=<hex>``.
            into: an existing folder for what is not local yet; the caller removes it.

        Returns:
            at least one, in the order of their names.

        Raises:
            InvalidRequest: the location cannot be read.
            NotFound: there is no such file or object, or nothing matches.
            DataQualityError: an empty directory, another digest than asked for, bytes in a column.
            EnvironmentFailed: it may not be read, or could not be fetched, also after further
                attempts; says what, how often and what to do.
        """
        kind = scheme(location)
        if kind == "sql":
            return [self._query(location, into)]
        if kind == "events":
            return [self._events(location, into)]
        location, sha256 = _demanded(location)
        if kind == "http":
            found = [self._download(location, into, sha256)]
        elif kind == "s3":
            found = self._objects(location, into, sha256)
        else:
            found = [Fetched(path=path, name=shown(str(path))) for path in local.files(location)]
            if len(found) == 1:
                demand(found[0].path, sha256, found[0].name)
        if sha256 is not None and len(found) > 1:
            raise InvalidRequest(
                f"{shown(location)} means {len(found)} files, and #sha256=... can name only one"
            )
        return found

    def _download(self, url: str, into: Path, sha256: str | None) -> Fetched:
        from flyball.storage.fetching.http import download, file_name

        path = place(into, 1, file_name(url))
        download(url, path, shown=shown(url), sha256=sha256, patience=self.patience)
        return Fetched(path=path, name=shown(url))

    def _objects(self, url: str, into: Path, sha256: str | None) -> list[Fetched]:
        from flyball.storage.fetching.s3 import S3

        found = S3(self.patience).fetch(url, into, sha256)
        return [Fetched(path=path, name=name) for path, name in found]

    def _query(self, location: str, into: Path) -> Fetched:
        from flyball.storage.fetching.sql import query

        path, name = place(into, 1, "query.arrow"), shown(location)
        query(location, path, shown=name, patience=self.patience)
        return Fetched(path=path, name=name)

    def _events(self, location: str, into: Path) -> Fetched:
        from flyball.storage.fetching.event_store import export

        if self.events is None:
            raise ConfigurationError(f"{location} needs the product's own database; there is none")
        path = place(into, 1, "events.arrow")
        export(location, path, self.events)
        return Fetched(path=path, name=location, pseudonymous=True)


def _demanded(location: str) -> tuple[str, str | None]:
    """The location itself, and the SHA-256 asked for at its end."""
    found = _DEMAND.search(location)
    if found is not None:
        return location[: found.start()], found[1].lower()
    if _TYPED.search(location) and not Path(location).exists():
        raise InvalidRequest(f"{shown(location)}: after #sha256= stand 64 hex digits")
    return location, None
