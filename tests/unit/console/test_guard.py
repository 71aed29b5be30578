"""The guard of a process without passwords."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from flyball.console.guard import Guard, check_host, refused
from flyball.errors import ConfigurationError

HERE = "127.0.0.1:8080"


def status(method: str, **headers: str) -> int:
    """The status of the refusal; 0 where there is none."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = refused(method, Headers(named))
    return found.status_code if found else 0


@pytest.mark.parametrize("host", [HERE, "localhost:9000", "[::1]:8080", "LOCALHOST"])
def test_every_name_of_this_machine_is_answered(host: str) -> None:
    assert status("GET", host=host) == 0


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil", "", "[::1", "user@evil:80"],
)
def test_every_other_name_is_refused(host: str) -> None:
    assert status("GET", host=host) == 421


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://127.0.0.1:8080", 0),
        ("http://127.0.0.1:8081", 403),
        ("http://localhost:8080", 403),
        ("https://evil.example", 403),
        ("http://127.0.0.1:8080@evil.example", 403),
        ("http://127.0.0.1:8080.evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_only_this_page_may_ask(origin: str, expected: int) -> None:
    assert status("GET", host=HERE, origin=origin) == expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", 0),
        ("application/json; charset=utf-8", 0),
        ("text/plain", 415),
        ("application/jsonp", 415),
        ("text/plain; a=application/json", 415),
    ],
)
def test_only_json_changes_anything(content_type: str, expected: int) -> None:
    assert status("POST", host=HERE, content_type=content_type) == expected
    assert status("POST", host=HERE) == 415


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "shop.example"])
def test_it_listens_where_nobody_else_is(host: str) -> None:
    with pytest.raises(ConfigurationError, match="ssh -L"):
        check_host(host)
    assert check_host("127.0.0.1") == "127.0.0.1"


async def _socket(headers: list[tuple[bytes, bytes]]) -> list[str]:
    """The types of the messages that a web socket with these headers gets."""
    sent: list[str] = []

    async def app(scope: object, receive: object, send: object) -> None:
        sent.append("reached")

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message["type"])

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/", "headers": headers}
    await Guard(app)(scope, receive, send)  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize(
    ("origin", "expected"),
    [(b"http://127.0.0.1:8080", ["reached"]), (b"https://evil.example", ["websocket.close"])],
)
def test_web_sockets_go_through_the_same_door(origin: bytes, expected: list[str]) -> None:
    import asyncio

    headers = [(b"host", HERE.encode()), (b"origin", origin)]
    assert asyncio.run(_socket(headers)) == expected
