"""A receiver of OpenLineage events over HTTP, that may be slow, away or of another opinion.

Events are sent in a thread of their own, in the order of the file, each once it was taken. Nobody
waits for a receiver longer than he wants to.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from flyball.domain.canonical import canonical_json, digest
from flyball.errors import ConfigurationError, FlyballError
from flyball.storage.files import storing, taking_turns, write_whole

SENT, LOCK = "sent.json", ".sending"
ENDPOINT = "/api/v1/lineage"
"""Where the specification has receivers listen, if the URL names no path."""

_REFUSED = frozenset({400, 413, 422})
"""Answers that mean this event, not this sender or this moment: it is passed over."""

_RETRY = {"total": 2, "connect": 2, "read": 1, "backoff_factor": 0.2}

log = logging.getLogger("flyball.lineage")


class Receiver:
    """Sends a file of events to a URL, and remembers beside it how far it came. Thread-safe.

    Args:
        url: ``http(s)://host[:port][/path]``; without a path it is ``ENDPOINT``.
        api_key: sent as a bearer token, if there is one.
        timeout_s: how long an answer may take.
        pause_s: after a failure, for how long nothing is sent.

    Raises:
        ConfigurationError: the URL is not one.
    """

    def __init__(
        self, url: str, *, api_key: str = "", timeout_s: float = 5.0, pause_s: float = 30.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"lineage.url {_shown(url)!r} is not an address; "
                "write for example 'http://localhost:5000'"
            )
        self._url = url
        self._shown = _shown(url)
        self._base = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        self._endpoint = urlunsplit(("", "", parts.path.rstrip("/") or ENDPOINT, parts.query, ""))
        self._api_key, self._timeout_s, self._pause_s = api_key, timeout_s, pause_s
        self._not_before = 0.0
        self._complained = False
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def send(self, events: Path, *, within_s: float) -> None:
        """Send what the file holds and was not sent; wait for that at most so long."""
        with self._starting:
            thread = self._thread
            if thread is None or not thread.is_alive():
                if time.monotonic() < self._not_before or not self._waiting(events):
                    return
                thread = threading.Thread(
                    target=self._work, args=(events,), name="lineage receiver", daemon=True
                )
                self._thread = thread
                thread.start()
        thread.join(max(0.0, within_s))

    def _waiting(self, events: Path) -> bool:
        try:
            return events.stat().st_size != self._sent(events)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # the thread will say what is wrong

    def _work(self, events: Path) -> None:
        try:
            with storing("what was sent of the lineage"), taking_turns(events.parent / LOCK):
                self._send_all(events)
            self._complained = False
        except (FlyballError, _Away) as error:
            self._not_before = time.monotonic() + self._pause_s
            if not self._complained:
                log.warning("lineage events wait for %s: %s", self._shown, error)
                self._complained = True

    def _send_all(self, events: Path) -> None:
        transport = self._transport()
        try:
            with events.open("rb") as file:
                file.seek(self._sent(events))
                for line in file:
                    if not line.endswith(b"\n"):
                        return  # it is being written
                    self._post(transport, line)
                    place = canonical_json({"url": self._url_digest(), "size": file.tell()})
                    write_whole(place, events.parent / SENT)
        finally:
            transport.close()

    def _post(self, transport: Any, line: bytes) -> None:
        import requests

        try:
            transport.emit(json.loads(line))
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code not in _REFUSED:
                raise _Away(_said(error)) from error
            run = json.loads(line)["run"]["runId"]
            log.warning("%s refused the lineage event of run %s: %s", self._shown, run, error)
        except (requests.RequestException, OSError) as error:
            raise _Away(_said(error)) from error

    def _sent(self, events: Path) -> int:
        """How many bytes this receiver has; 0 for one that is new, or a file begun anew."""
        try:
            sent = json.loads((events.parent / SENT).read_bytes())
            size = int(sent["size"]) if sent["url"] == self._url_digest() else 0
        except FileNotFoundError:
            return 0
        except (ValueError, TypeError, KeyError):
            return 0  # damaged: sent again, which changes nothing there
        return size if size <= events.stat().st_size else 0

    def _url_digest(self) -> str:
        """The URL may hold a password."""
        return digest(self._url)[:16]

    def _transport(self) -> Any:
        from openlineage.client.transport import http
        from requests import Session

        session = Session()
        session.stream = True  # the answer's body is not waited for
        keys = {"type": "api_key", "apiKey": self._api_key} if self._api_key else {}
        return http.HttpTransport(
            http.HttpConfig(
                url=self._base,
                endpoint=self._endpoint,
                timeout=self._timeout_s,
                auth=http.create_token_provider(keys),
                session=session,
                retry={**http.DEFAULT_RETRY_CONFIG, **_RETRY},
            )
        )


class _Away(Exception):
    """The receiver cannot take events now."""


def _said(error: Exception) -> str:
    """The end of a chain of causes, which says more than its beginning, without the URL."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"it answers {error.response.status_code} {error.response.reason}"
    reason = getattr(error.args[0] if error.args else error, "reason", None) or error
    return f"{type(reason).__name__}: {str(reason).rpartition(': ')[2]}"


def _shown(url: str) -> str:
    """A URL without what may be secret in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
