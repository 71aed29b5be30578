"""A chat's incoming webhook, in the form that Slack has and many others take.

Source: Slack, "Sending messages using incoming webhooks", and its Block Kit's limits. The URL is
a secret: who has it can write. It is in no message of ours and in no log; for that the request goes
through httpx's transport and not its client, which logs every URL.
"""

from __future__ import annotations

import socket
import ssl
import urllib.request
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

from flyball.domain.notices import Notice, Urgency
from flyball.errors import ConfigurationError, EnvironmentFailed

HEADER, SECTION = 150, 2900
"""Characters of a title and of a text, a little below Slack's own limits (150, 3000)."""

SIGNS: Mapping[Urgency, str] = {
    Urgency.NOW: ":rotating_light:",
    Urgency.SOON: ":warning:",
    Urgency.INFO: ":information_source:",
}


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


class Webhook:
    """Port ``Notifier``: posts each notice to one URL.

    A proxy of the environment (``HTTPS_PROXY``, ``NO_PROXY``) is used; redirects are not followed.

    Args:
        url: ``https://...`` or ``http://...``.
        timeout_s: how long connecting, and then answering, may take.
        tls: whose certificates to trust; default those of the system.

    Raises:
        ConfigurationError: the URL is not one.
    """

    name = "webhook"

    def __init__(
        self, url: str, *, timeout_s: float = 5.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._parts = _checked(url)
        self._url = url
        self._timeout_s, self._tls = timeout_s, tls
        self.whom = f"the webhook at {self._parts.hostname}"

    def tell(self, notice: Notice) -> None:
        """See ``Notifier.tell``."""
        proxy = self._proxy()
        try:
            with httpx.HTTPTransport(verify=self._tls or True, proxy=proxy) as transport:
                request = httpx.Request(
                    "POST",
                    self._url,
                    json=payload(notice),
                    extensions={"timeout": httpx.Timeout(self._timeout_s).as_dict()},
                )
                answer = transport.handle_request(request)
                answer.close()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._failed(error) from None
        if not 200 <= answer.status_code < 300:
            raise EnvironmentFailed(
                f"{self.whom} answers {answer.status_code}; it took no notice. If that lasts, make "
                "a new one and correct notify.webhook"
            )

    def reach(self) -> None:
        """See ``Notifier.reach``: connects to it, or to the proxy in between, and says nothing."""
        through = urlsplit(proxy) if (proxy := self._proxy()) else self._parts
        secure = through.scheme == "https"
        port = through.port or (443 if secure else 80)
        host = through.hostname or ""
        try:
            with socket.create_connection((host, port), timeout=self._timeout_s) as sock:
                if secure:
                    context = self._tls or ssl.create_default_context()
                    context.wrap_socket(sock, server_hostname=host).close()
        except OSError as error:
            raise self._failed(error) from None

    def _proxy(self) -> str | None:
        host = self._parts.hostname or ""
        if urllib.request.proxy_bypass(host):
            return None
        return urllib.request.getproxies().get(self._parts.scheme)

    def _failed(self, error: Exception) -> EnvironmentFailed:
        """What went wrong, without anything of the URL but its host."""
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            why = f"no answer within {self._timeout_s:g} s"
        else:
            why = str(error).replace(self._url, "its URL") or type(error).__name__
        return EnvironmentFailed(
            f"{self.whom} cannot be told: {why}; check the network and notify.webhook"
        )


def payload(notice: Notice) -> dict[str, Any]:
    """A notice as Slack's JSON: ``text`` for who shows no blocks, and blocks for who does."""
    sign = SIGNS[notice.urgency]
    title = " ".join(notice.title.split())
    return {
        "text": _escaped(f"{title}\n{notice.text}", SECTION),
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": _cut(f"{sign} {title}", HEADER)},
            },
            {"type": "section", "text": {"type": "mrkdwn", "text": _escaped(notice.text, SECTION)}},
            {
                "type": "context",
                "elements": [
                    {"type": "mrkdwn", "text": _escaped(f"Flyball, model {notice.model}", SECTION)}
                ],
            },
        ],
    }


def _escaped(text: str, most: int) -> str:
    """Slack's three control characters as entities, so that no text makes links or calls people."""
    spelled = [_ENTITIES.get(char, char) for char in text or " "]  # an empty block is refused
    ends = list(accumulate(map(len, spelled)))
    if ends[-1] <= most:
        return "".join(spelled)
    return "".join([*spelled[: bisect_right(ends, most - 3)], "..."])


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _checked(url: str) -> SplitResult:
    """The URL's parts. The message of the error holds none of it: it is a secret."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        good = False
    if not good:
        raise ConfigurationError(
            "notify.webhook is not a URL; write for example 'https://hooks.slack.com/services/...'"
        )
    return parts
