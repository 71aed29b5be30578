"""The client and certificates that are not good: told at once, with what to do, and not retried."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from certificates import a_certificate, trusting
from client_flavours import PATIENT, awaiting, blocking
from flaky_server import answer, flaky
from flyball.client import Unreachable


@pytest.fixture(params=[blocking, awaiting], ids=["blocking", "awaiting"])
def ask(request):
    """Makes one call with a client of each flavour."""
    return request.param


class Https:
    """A server with a certificate; counts those who begin to speak with it."""

    def __init__(self, chain: Path, key: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.context.sni_callback = self._greeted
        self.greeted = 0
        self.chain = chain

    def _greeted(self, *_: object) -> None:
        self.greeted += 1

    @contextmanager
    def served(self) -> Iterator[str]:
        async def behave(request, writer):
            await answer(writer, {"items": []})

        with flaky(behave, self.context) as seen:
            yield seen.url


def test_a_certificate_of_ones_own_is_taken_where_it_is_given(tmp_path, ask):
    server = Https(*a_certificate(tmp_path))
    with server.served() as url:
        options = {"verify": trusting(server.chain), **PATIENT}
        assert ask(url, "search", "x", options=options).items == []
    assert server.greeted == 1


@pytest.mark.parametrize(
    ("made", "known", "said"),
    [
        ({}, False, "signed by nobody whom this client trusts: give verify=ssl.create_default"),
        ({"days": -0.01}, True, "expired.*renew it on the server"),
        ({"host": "shop.example"}, True, "a name or address that stands in its certificate"),
    ],
    ids=["unknown", "expired", "of another name"],
)
def test_a_certificate_that_is_not_good_is_told_at_once(tmp_path, ask, made, known, said):
    server = Https(*a_certificate(tmp_path, **made))
    options = {"verify": trusting(server.chain)} if known else {}
    with server.served() as url, pytest.raises(Unreachable, match=said) as caught:
        ask(url, "search", "x", options={**options, **PATIENT})
    assert server.greeted == 1
    assert "Is the server up" not in str(caught.value)


class PlainHttp(socketserver.BaseRequestHandler):
    """Answers whatever comes as a web server answers what it cannot read."""

    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        self.server.asked += 1


def test_a_server_that_speaks_no_tls_is_told_at_once(ask):
    with socketserver.TCPServer(("127.0.0.1", 0), PlainHttp) as server:
        server.asked = 0
        threading.Thread(target=server.serve_forever).start()
        try:
            with pytest.raises(Unreachable, match="call it with http://"):
                ask(f"https://127.0.0.1:{server.server_address[1]}", "search", "x")
        finally:
            server.shutdown()
    assert server.asked == 1
