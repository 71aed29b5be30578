"""Hostile texts, and somebody who puts them wherever a request has room for one."""

from __future__ import annotations

import http.client
import json
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from hostile_bytes import ASKED, POSTED

from games_worker import GamesWorker

CANARY = "the canary sings to nobody"
FORGED = "2026-01-01T00:00:00Z error   forged line=1"
SQL = (
    "'; DROP TABLE flyball_events; --",
    '"; DELETE FROM flyball_events; --',
    "x' OR '1'='1",
    "1) UNION SELECT body FROM flyball_api_keys --",
    "'; UPDATE flyball_routes SET body = ''; --",
    "\\'; ATTACH DATABASE 'pwned.sqlite' AS pwned; --",
    "%' ESCAPE '%",
)
PATHS = (
    "../../../../../../../../etc/passwd",
    "..\\..\\..\\etc\\passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%c0%af..%c0%afetc/passwd",
    "....//....//etc/passwd",
    "//etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "games/../../flyball.toml",
    "CON",
    ".",
    "..",
    "~root",
)
LINES = (
    f"x\r\n{FORGED}",
    f"x\n{FORGED}\n",
    f"x\u2028{FORGED}",
    f"x\x85{FORGED}",
    f"x\x0b{FORGED}",
    f'x", "forged": "{FORGED}',
    "x\r\nX-Forged: yes\r\n\r\n<html>",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "\x9b31m",
    "\x7f\x08\x08\x08",
    "a\0b",
    "\u202egnp.exe",
    "\ufeff",
    "\ud800",
)
MEANT_FOR_OTHERS = (
    "{0.__class__.__init__.__globals__}",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}<script>alert(1)</script>",
    "%s%s%s%n",
    "__import__('os').system('touch pwned')",
    "$(touch pwned)`touch pwned`",
)


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Attacker:
    """Sends hostile text, and sees to it that no answer gives anything away.

    Attributes:
        accepted: how many events the worker says it has stored.
    """

    def __init__(self, worker: GamesWorker, canary: Path) -> None:
        self._worker = worker
        self._connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=20)
        self.texts = (*SQL, *PATHS, str(canary), f"../../{canary.name}", *LINES, *MEANT_FOR_OTHERS)
        self.sent, self.accepted = 0, 0
        self.stored: dict[str, str] = {}

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def tells(
        self, method: str, path: str, body: bytes | None = None, **headers: str | bytes
    ) -> Answer:
        """One request, its path as it is; the answer is no failure and tells no secret."""
        said = {"Content-Type": "application/json"} | self._worker.credentials
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, said)
        with self._connection.getresponse() as got:
            answer = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        self.sent += 1
        where = f"{method} {path} {body!r} {headers}"
        assert answer.status < 500, f"{where}: {answer.body!r}"
        assert CANARY.encode() not in answer.body, where
        assert b"root:" not in answer.body, where
        assert b"[access]" not in answer.body, where
        assert "x-forged" not in answer.headers, where
        kind = answer.headers.get("content-type", "")
        assert answer.status < 400 or kind == "application/problem+json", where
        return answer

    def in_bodies(self) -> None:
        """Each text in each field of each body that a route takes."""
        for path, body in POSTED.items():
            for text in self.texts:
                for number, changed in enumerate(replaced(json.loads(body), text)):
                    if path == "/v1/events":
                        self._events(changed[0], text, number)
                    else:
                        self.tells("POST", path, json.dumps(changed).encode())

    def _events(self, event: dict[str, Any], text: str, number: int) -> None:
        """An event with a hostile field, and with a harmless name where the name is another."""
        if event["event_id"] == "event-1":
            event["event_id"] = f"event-{self.texts.index(text)}-{number}"
        answer = self.tells("POST", "/v1/events", json.dumps([event]).encode())
        if answer.status == 200:
            said = json.loads(answer.body)
            assert said["accepted"] + said["duplicates"] + len(said["rejected"]) == 1
            self.accepted += said["accepted"]
            if said["accepted"]:
                self.stored[event["event_id"]] = event["game_id"]

    def in_addresses(self) -> None:
        """Each text in each part of each address, encoded as it must be and as it is."""
        for text in self.texts:
            for encoded in encodings(text):
                for path in (
                    f"/v1/recommendations/{encoded}",
                    f"/v1/why-not/{encoded}/metroid",
                    f"/v1/why-not/player-3/{encoded}",
                    f"/v1/games/{encoded}",
                    f"/v1/games/{encoded}/similar",
                    f"/v2/models/{encoded}",
                    f"/v2/models/{encoded}/versions/1/ready",
                    f"/v2/models/games/versions/{encoded}",
                    f"/static-offline-docs/{encoded}",
                    f"/docs/{encoded}",
                    f"/{encoded}",
                    *(with_parameter(asked, encoded) for asked in ASKED if "?" in asked),
                ):
                    self.tells("GET", path)

    def in_headers(self) -> None:
        """Each text in each header that is read; line ends cannot be in any."""
        for text in self.texts:
            value = re.sub(r"[\r\n]", " ", text).encode("utf-8", "surrogatepass")
            value = value.replace(b"\0", b"?")
            for name in (
                "X-API-Key",
                "Authorization",
                "Host",
                "X-Request-Timeout",
                "Traceparent",
                "Content-Type",
                "If-None-Match",
                "Accept-Encoding",
                "User-Agent",
                "X-Forwarded-For",
                "Origin",
            ):
                self.tells(
                    "POST", "/v1/recommendations", POSTED["/v1/recommendations"], **{name: value}
                )
                self.tells("GET", "/v1/games/metroid", **{name: value})

    def in_forms(self) -> None:
        """Each text in each field of a sign-in; few, for each takes its time."""
        form = {"grant_type": "password", "username": "ada", "password": "wrong", "scope": "read"}
        for text in (SQL[0], PATHS[0], *LINES[:4], LINES[7], LINES[10], LINES[13]):
            for name in form:
                sent = urlencode(form | {name: text}, errors="surrogatepass").encode()
                kind = "application/x-www-form-urlencoded"
                self.tells("POST", "/auth/token", sent, Content_Type=kind)
            sent = urlencode({"refresh_token": text}, errors="surrogatepass").encode()
            self.tells("POST", "/auth/refresh", sent, Content_Type=kind)


def replaced(value: Any, text: str) -> Iterator[Any]:
    """The document with each of its texts and names replaced in turn."""
    if isinstance(value, str):
        yield text
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for changed in replaced(item, text):
                yield [*value[:index], changed, *value[index + 1 :]]
    elif isinstance(value, dict):
        for name, item in value.items():
            for changed in replaced(item, text):
                yield value | {name: changed}
        yield value | {text: "more"}


def encodings(text: str) -> Iterator[str]:
    """The text for an address: all of it as escapes; as little as can be; escaped twice."""
    raw = text.encode("utf-8", "surrogatepass")
    whole = quote(raw, safe="")
    yield whole
    yield quote(raw, safe=string.punctuation.replace("%", "").replace("#", ""))
    if text in PATHS:
        yield "".join(f"%{byte:02x}" for byte in raw)
        yield quote(whole, safe="")


def with_parameter(asked: str, encoded: str) -> str:
    """The address with this in each of its parameters, and as one more."""
    path, _, query = asked.partition("?")
    names = [pair.partition("=")[0] for pair in query.split("&")]
    return f"{path}?" + "&".join(f"{name}={encoded}" for name in [*names, encoded])
