"""Hostile text in every field, path part and header: it is text, in answers, stores and logs."""

from __future__ import annotations

import http.client
import io
import json
import logging
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from hostile_texts import CANARY, FORGED, LINES, MEANT_FOR_OTHERS, Attacker

from flyball.errors import StorageUnavailable
from flyball.serving import problems
from flyball.telemetry import logs as telemetry
from games_worker import a_games_worker

TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning|error) +\S")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def tables(home: Path) -> dict[str, str]:
    with closing(sqlite3.connect(f"file:{home / 'flyball.sqlite'}?mode=ro", uri=True)) as database:
        return dict(database.execute("SELECT name, sql FROM sqlite_master"))


@pytest.mark.parametrize("arguments", [(), ("--json-logs",)], ids=["text", "json"])
def test_hostile_text_is_only_text(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Nothing is executed, no file is read or written, no line of a log is the attacker's own."""
    canary = tmp_path / "canary.txt"
    canary.write_text(CANARY)
    with a_games_worker(tmp_path, *arguments, guarded=True) as worker:
        before = tables(worker.home)
        with Attacker(worker, canary) as attacker:
            attacker.in_bodies()
            attacker.in_addresses()
            attacker.in_headers()
            attacker.in_forms()
        with worker.client() as client:
            asked = {"user_id": "player-3", "k": 3}
            assert len(client.post("/v1/recommendations", json=asked).json()["items"]) == 3
        log = worker.ends().decode()
        events, _ = worker.platform.events.after(0)
        assert attacker.sent > 2000
        assert tables(worker.home) == before
        stored = {event.event_id: event.item_id for event in events}
        assert stored == attacker.stored
        assert len(events) == attacker.accepted > 50
        assert any("DROP TABLE" in game for game in stored.values()), "it was stored as it came"
        _nothing_was_written(tmp_path)
        _is_our_log(log, json_lines=bool(arguments))
        _is_our_audit_log(worker.home)


def _nothing_was_written(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"canary.txt", "home", "worker.log"}
    names = [path.name for path in (folder / "home").rglob("*")]
    assert not [
        name for name in names if "pwned" in name or "passwd" in name or CONTROL.search(name)
    ]


def _is_our_log(log: str, *, json_lines: bool) -> None:
    assert log.strip(), "it was written somewhere else"
    assert not CONTROL.search(log)
    for line in log.removesuffix("\n").split("\n"):
        if json_lines:
            assert {"event", "level", "timestamp"} <= json.loads(line).keys(), line
        else:
            assert TEXT_LINE.match(line), line
        assert not line.startswith(FORGED)


def _is_our_audit_log(home: Path) -> None:
    lines = "".join(path.read_text() for path in (home / "audit").glob("*.jsonl"))
    assert not CONTROL.search(lines)
    known = {"at", "subject", "address", "method", "path", "what", "why", "status", "more"}
    read = [json.loads(line) for line in lines.splitlines()]
    assert all(line.keys() <= known for line in read)
    assert any("forged" in line["subject"] for line in read), "what was said is noted, escaped"


@pytest.fixture
def logs() -> Iterator[Callable[[bool], io.StringIO]]:
    """Sets the logs of this process up as a worker does, until the end of the test."""
    root, level = logging.getLogger(), logging.getLogger("flyball").level
    handlers, root_level = list(root.handlers), root.level

    def configured(json_lines: bool) -> io.StringIO:
        stream = io.StringIO()
        telemetry.configure(json=json_lines, stream=stream)
        return stream

    yield configured
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(root_level)
    logging.getLogger("flyball").setLevel(level)


@pytest.mark.parametrize("json_lines", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("text", [*LINES, *MEANT_FOR_OTHERS])
def test_what_a_request_says_is_escaped_where_it_is_logged(logs, json_lines, text):
    """A path, the message of an error, its traceback: one line each, whatever is in them."""
    stream = logs(json_lines)
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        problems.reply_to_unexpected(error, f"/v1/games/{text}")
    problems.reply_to(StorageUnavailable(f"the event {text} cannot be stored"))
    logging.getLogger("uvicorn.error").warning("a library says %s", text)
    log = stream.getvalue()
    _is_our_log(log, json_lines=json_lines)
    assert log.count("\n") == 3


SPELLINGS = (
    "{}",
    "{}/",
    "//{0}",
    "/.{}",
    "/docs/..{}",
    "/docs/%2e%2e{}",
    "/static-offline-docs/..{}",
    "/static-offline-docs/%2e%2e{}",
    "/static-offline-docs/..%2f..{}",
    "/static-offline-docs{}",
    "/health/live/..{}",
    "/health/live{}",
    "/openapi.json{}",
    "{}%00",
    "{}%20",
    "{};a=b",
    "{}?docs",
    "{}%3f/docs",
    "{}/../docs",
    "{}%23/openapi.json",
    "{}/%2e",
    "http://127.0.0.1{}",
    "http://127.0.0.1/docs/..{}",
)
CLOSED = ("/metrics", "/health", "/v1/games", "/v1/games/metroid", "/v2", "/v2/models/games")
OTHER_WAYS: tuple[dict[str, str], ...] = (
    {},
    {"X-Original-URL": "/docs", "X-Rewrite-URL": "/docs"},
    {"X-HTTP-Method-Override": "GET"},
    {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost", "Forwarded": "for=127.0.0.1"},
    {"Authorization": "Bearer", "X-API-Key": ""},
    {"Authorization": "Bearer null"},
    {"Authorization": "Basic YWRhOnNldmVuIGdyZWVuIG90dGVycyBzaW5n"},
    {"Cookie": "access_token=fb_000000000000_A; session=admin"},
)


def test_no_spelling_of_an_address_opens_what_needs_credentials(tmp_path: Path) -> None:
    """Nor another method, nor a header that a proxy might have set; nobody is sent elsewhere."""
    with a_games_worker(tmp_path, guarded=True) as worker:
        connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=20)
        with closing(connection):
            for closed in CLOSED:
                for spelling in SPELLINGS:
                    for headers in OTHER_WAYS if spelling == "{}" else OTHER_WAYS[:1]:
                        for method in ("GET", "HEAD", "OPTIONS", "get", "PROPFIND"):
                            path = spelling.format(closed)
                            connection.request(method, path, headers=headers)
                            with connection.getresponse() as answer:
                                body = answer.read()
                            where = f"{method} {path} {headers}: {answer.status} {body[:200]!r}"
                            assert answer.status in (400, 401, 404, 405, 421), where
                            assert answer.getheader("Location") is None, where
