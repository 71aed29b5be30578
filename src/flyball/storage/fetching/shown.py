"""Locations as people may see them: in messages, records and lineage; and what kind each is."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from flyball.errors import InvalidRequest
from flyball.storage.fetching.spool import is_spooled

Kind = Literal["file", "http", "s3", "sql", "events"]

HIDDEN = "***"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+._\-]*)://")
_SECRET = re.compile(
    r"auth|cred|key|pass|pwd|secret|session|sig|token|jwt|\bsas\b|\bcode\b", re.IGNORECASE
)
_USER = re.compile(r"://[^/?#]*@")
_FRAGMENT = re.compile(r"sha256=[0-9a-fA-F]*\Z")


def scheme(location: str) -> Kind:
    """What kind of location this is; a file where nothing says otherwise.

    Raises:
        InvalidRequest: it is an address of a kind that cannot be read.
    """
    if location.startswith("events:"):
        return "events"
    found = _SCHEME.match(location)
    if found is None:
        return "file"
    name = found[1].lower()
    if name in ("http", "https"):
        return "http"
    if name == "s3":
        return "s3"
    if "#" in location and name not in ("file", "ftp", "ftps", "sftp", "gs", "gcs", "az", "hdfs"):
        return "sql"
    raise InvalidRequest(
        f"{shown(location)}: {name}:// cannot be read; give a file, http(s)://..., "
        "s3://bucket/key, or a database as <SQLAlchemy URL>#<SELECT statement>"
    )


def shown(location: str) -> str:
    """A location without what opens it: users, passwords, tokens and signatures.

    Standard input that was spooled is called so.
    """
    if is_spooled(location):
        return "standard input"
    if _SCHEME.match(location) is None:
        return location
    address, mark, rest = location.partition("#")
    name = address.partition("://")[0].lower()
    if name not in ("http", "https", "s3"):
        return _masked(address, keep_user=True) + mark + rest
    kept = rest if _FRAGMENT.match(rest) else ""
    return _masked(address, keep_user=False) + (f"#{kept}" if kept else "")


def _masked(address: str, *, keep_user: bool) -> str:
    """``scheme://user:password@host/path?query`` without its secrets."""
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets that are no IPv6 address
        return _USER.sub(f"://{HIDDEN}@", address).partition("?")[0]
    user, at, host = parts.netloc.rpartition("@")
    if at:
        name, colon, _ = user.partition(":")
        user = f"{name}{colon and ':' + HIDDEN}" if keep_user else HIDDEN
    query = parts.query
    if _SECRET.search(query):
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode(
            [(key, HIDDEN if _SECRET.search(key) else value) for key, value in pairs], safe="*/:"
        )
    # urlunsplit would drop the empty host of sqlite:///path
    middle = f"{user}{at}{host}{parts.path}"
    return f"{address.partition('://')[0]}://{middle}{'?' + query if query else ''}"
