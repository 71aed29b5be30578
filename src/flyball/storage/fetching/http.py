"""Files from web servers: streamed, resumed where they broke off, checked by size and digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from flyball.errors import EnvironmentFailed, NotFound
from flyball.storage.fetching.landing import Landing, fetched_as_demanded
from flyball.storage.fetching.retrying import Interruption, Patience, persistently

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 10
CONNECT_TIMEOUT_S = 10.0

_PASSING = {408, 425, 429, 500, 502, 503, 504}
_PACKED = {"gzip", "x-gzip", "zstd"}  # the reader unpacks them, whatever the server calls them
_ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


def file_name(url: str) -> str:
    """The last part of a URL's path; the host's name where it has none."""
    parts = urlsplit(url)
    return PurePosixPath(unquote(parts.path)).name or parts.hostname or "data"


def download(url: str, path: Path, *, shown: str, sha256: str | None, patience: Patience) -> None:
    """Fetch ``url`` to a new file at ``path``.

    Args:
        url: ``http://`` or ``https://``, with user and password where it needs them.
        shown: the same without secrets.
        sha256: what the user says it is, hex.

    Raises:
        NotFound: the server has no such file.
        DataQualityError: it is not the file that ``sha256`` asks for.
        EnvironmentFailed: refused, unreachable, broken off or damaged, also after more attempts.
    """
    with _client(patience) as client, Landing(path, shown, patience) as landing:
        transfer = _Transfer(client, url.partition("#")[0], landing, shown)

        def fetch() -> None:
            transfer.begin_anew()
            persistently(shown, transfer.attempt, patience)

        fetched_as_demanded(fetch, path, sha256, shown)


def _client(patience: Patience) -> httpx.Client:
    import httpx

    timeout = httpx.Timeout(patience.silence_s, connect=CONNECT_TIMEOUT_S)
    try:
        return httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=MAX_REDIRECTS)
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        raise EnvironmentFailed(
            f"no web address can be read: {error}; check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and "
            "SSL_CERT_FILE"
        ) from error


@dataclass(slots=True)
class _Transfer:
    """One file on its way, over several attempts.

    Attributes:
        validator: the server's name for this very content (ETag, else its date); empty where it
            gives none, and then nothing can be resumed.
    """

    client: httpx.Client
    url: str
    landing: Landing
    shown: str
    validator: str = ""

    def begin_anew(self) -> None:
        """Forget everything that came."""
        self.validator = ""
        self.landing.restart()

    def attempt(self) -> None:
        """Fetch what is not there yet, and check the whole."""
        if not self.validator:
            self.landing.restart()
        furthest, had = self.landing.furthest, self.landing.size
        with (
            self._translated(lambda: self.landing.furthest - furthest),
            self._answer(had) as answer,
        ):
            if answer.status_code == 416:
                self._nothing_more(answer, had)
                return
            if answer.status_code != 206:
                self.landing.restart()
            elif _range(answer)[0] != self.landing.size:
                self.begin_anew()
                raise Interruption("the server sent another part than it was asked for")
            self.validator = _validator(answer)
            remaining = _content_length(answer)
            self.landing.expect(remaining or 0)
            size = _range(answer)[1] or self.landing.size + (remaining or 0)
            self.landing.take(answer.iter_raw())
            if self.landing.size != size and (size or remaining is not None):
                raise Interruption(f"{self.landing.size} of {size} bytes came")
            self.landing.check(_digests(answer))

    def _nothing_more(self, answer: httpx.Response, had: int) -> None:
        """The range was refused: because all of it had come, or because something changed."""
        if answer.headers.get("content-range", "").strip() != f"bytes */{had}":
            self.begin_anew()
            raise Interruption("the server has less of it than it had before")
        self.landing.check(_digests(answer))

    @contextmanager
    def _answer(self, had: int) -> Iterator[httpx.Response]:
        headers = {"Accept-Encoding": "identity"}
        if had:
            headers |= {"Range": f"bytes={had}-", "If-Range": self.validator}
        with self.client.stream("GET", self.url, headers=headers) as answer:
            self._refuse(answer)
            yield answer

    def _refuse(self, answer: httpx.Response) -> None:
        """Raise for every answer that has no content to read."""
        status, words = answer.status_code, f"{answer.status_code} {answer.reason_phrase}".strip()
        came_safely = any(step.url.scheme == "https" for step in answer.history)
        if came_safely and answer.url.scheme != "https":
            raise EnvironmentFailed(
                f"{self.shown} leads from https to plain http, where anybody can change it; "
                "ask for the address it really has"
            )
        if status in (404, 410):
            raise NotFound(f"{self.shown} is not there: the server answered {words}")
        if status in (401, 403, 407):
            raise EnvironmentFailed(
                f"{self.shown} may not be read: the server answered {words}; give user and "
                "password in the address (https://user:password@host/...), or a fresh link"
            )
        if status in _PASSING:
            asked = _retry_after(answer)
            raise Interruption(f"the server answered {words}", asked_s=asked)
        if status not in (200, 206, 416):
            raise EnvironmentFailed(
                f"{self.shown} cannot be fetched: the server answered {words}; check the address"
            )
        encoding = answer.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in _PACKED | {"", "identity"}:
            raise EnvironmentFailed(
                f"{self.shown} is sent with the encoding {encoding!r} although none was asked "
                "for; download it by hand"
            )

    @contextmanager
    def _translated(self, gained: Callable[[], int]) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.TimeoutException as error:
            silence = f"the server was silent for too long ({type(error).__name__})"
            raise Interruption(silence, gained=gained()) from error
        except httpx.TooManyRedirects as error:
            raise EnvironmentFailed(
                f"{self.shown} leads from one address to another without end; check the address"
            ) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise EnvironmentFailed(
                f"{self.shown} cannot be followed ({error}); only http and https are"
            ) from error
        except httpx.TransportError as error:
            words = " ".join(str(error).split()) or type(error).__name__
            if "certificate" in words.lower():  # it will be no better in a second
                raise EnvironmentFailed(
                    f"{self.shown} cannot be trusted: {words}; check the address, or name the "
                    "authority's certificate in SSL_CERT_FILE"
                ) from error
            raise Interruption(words, gained=gained()) from error


def _range(answer: httpx.Response) -> tuple[int, int]:
    """Where a part begins, and the size of the whole; (0, 0) where that is not said."""
    found = _RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    if found is None or answer.status_code != 206:
        return 0, 0
    return int(found[1]), 0 if found[3] == "*" else int(found[3])


def _validator(answer: httpx.Response) -> str:
    etag: str = answer.headers.get("etag", "").strip()
    if etag and not etag.startswith("W/"):
        return etag
    return str(answer.headers.get("last-modified", "")).strip()


def _content_length(answer: httpx.Response) -> int | None:
    length: str = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _digests(answer: httpx.Response) -> dict[str, str]:
    """Hex by algorithm of the whole file, as far as the server gives any that can be checked."""
    found: dict[str, str] = {}
    for name in ("repr-digest", "digest"):
        for item in answer.headers.get(name, "").split(","):
            algorithm, _, value = item.strip().partition("=")
            if known := _ALGORITHMS.get(algorithm.strip().lower()):
                found.setdefault(known, value.strip().strip(":"))
    if answer.status_code == 200 and "content-md5" in answer.headers:  # of a part: its own
        found.setdefault("md5", answer.headers["content-md5"].strip())
    return {name: as_hex for name, value in found.items() if (as_hex := _hex(name, value))}


def _hex(algorithm: str, value: str) -> str:
    """A digest in base64 as hex; empty where it cannot be one."""
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        return ""
    return raw.hex() if len(raw) == hashlib.new(algorithm).digest_size else ""


def _retry_after(answer: httpx.Response) -> float | None:
    asked: str = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        sent = parsedate_to_datetime(answer.headers["date"])
        return max(0.0, (parsedate_to_datetime(asked) - sent).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None
