"""One place where what a database driver raises becomes an error with something to do about it."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from flyball.errors import InvalidRequest, StorageUnavailable

_ADVICE: tuple[tuple[str, str], ...] = (
    ("database is locked", "another process keeps it busy; try again, or stop that process"),
    ("database or disk is full", "the disk is full; free some space and try again"),
    ("no space left", "the disk is full; free some space and try again"),
    ("disk i/o error", "the disk failed or is full; check it and try again"),
    ("file is too large", "the disk or the quota is full; free some space and try again"),
    (
        "readonly database",
        "check the permissions of the file and its folder",
    ),
    ("read-only transaction", "the server takes no writes; connect to its primary"),
    ("unable to open", "check that its folder exists and is writable"),
    ("permission denied", "check the permissions"),
    ("not a database", "the file is damaged or another kind of file; restore it from a backup"),
    ("malformed", "the file is damaged; restore it from a backup"),
    ("password authentication failed", "check user and password in the setting `database`"),
    ("no password supplied", "give user and password in the setting `database`"),
    ("does not exist", "check the names in the setting `database`; create what is missing"),
    ("connection refused", "no server listens there; start it, or check host and port"),
    ("no such file or directory", "no server listens there; start it, or check host and port"),
    ("translate host", "the host is unknown; check the setting `database`"),
    ("resolve host", "the host is unknown; check the setting `database`"),
    ("name or service not known", "the host is unknown; check the setting `database`"),
    ("did not answer", "it hangs, or the network does; check both"),
    ("timeout", "it did not answer in time; check the network and the server"),
    ("server closed the connection", "the server went away; try again once it is back"),
    ("terminating connection", "the server went away; try again once it is back"),
)
_FILE_ADVICE: Mapping[int, str] = {
    errno.ENOENT: "its folder does not exist; create it, or check the path",
    errno.ENOTDIR: "its folder does not exist; create it, or check the path",
    errno.EACCES: "check the permissions of the file and its folder",
    errno.EPERM: "check the permissions of the file and its folder",
    errno.EROFS: "the disk is mounted read-only; choose another home",
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the quota is used up; free some space and try again",
}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn a driver's error inside into ours.

    Args:
        what: what was used, for example ``"the database sqlite:////srv/flyball.sqlite"``.

    Raises:
        StorageUnavailable: the database cannot be used; says why and what to do.
        InvalidRequest: a value cannot be stored as text (a NUL character, half a surrogate pair).
    """
    try:
        yield
    except (DataError, UnicodeEncodeError) as error:
        reason = _reason(error)
        raise InvalidRequest(f"{what} cannot keep such a value: {reason}") from error
    except SQLAlchemyError as error:
        reason = _reason(error)
        advice = next((text for words, text in _ADVICE if words in reason.lower()), "try again")
        raise StorageUnavailable(f"{what} cannot be used: {reason}; {advice}") from error
    except OSError as error:
        advice = _FILE_ADVICE.get(error.errno or 0, "check the path and the disk")
        reason = f"{error.strerror}: {error.filename}"
        raise StorageUnavailable(f"{what} cannot be used: {reason}; {advice}") from error


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(cause).split())
