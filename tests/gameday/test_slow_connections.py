"""Clients that send or read too slowly, or not at all: a connection is not kept for them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bare_server import Running, a_bare_server
from raw_http import GATHERED, GET, HOST, POST, QUICK, answered


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """With the bounds of the product, but quicker."""
    with a_bare_server(bounds=QUICK) as running:
        yield running


class TestTooSlow:
    """A connection costs little, and is not kept for who does not use it."""

    def test_a_connection_that_says_nothing_is_closed(self, server):
        assert server.told() == b""

    @pytest.mark.parametrize("begun", [b"G", b"GET /echo", GET, GET + b"X-Slow: "])
    def test_a_head_that_does_not_end_is_a_408(self, server, begun):
        assert "1 s" in answered(server.told(begun)).problem(408)

    def test_a_head_byte_by_byte_is_a_408(self, server):
        """Slow loris: each byte is on time, the whole is not."""
        began = time.monotonic()
        with server.connect(timeout=0.05) as client:
            client.sendall(GET)
            said = b""
            while not said and time.monotonic() - began < 10:
                client.sendall(b"X")
                try:
                    said = client.recv(65536)
                except TimeoutError:
                    continue
        answered(said).problem(408)
        assert time.monotonic() - began < 5

    def test_blank_lines_do_not_keep_a_connection(self, server):
        began = time.monotonic()
        with server.connect(timeout=0.05) as client:
            while time.monotonic() - began < 10:
                try:
                    client.sendall(b"\r\n")
                    if client.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
        assert time.monotonic() - began < 6

    @pytest.mark.parametrize(
        "begun",
        [
            POST + b"Content-Length: 9\r\n\r\n",
            POST + b"Content-Length: 9\r\n\r\n{",
            GATHERED + b"Content-Length: 9\r\n\r\n{",
            POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{",
        ],
    )
    def test_a_body_that_does_not_come_is_a_408(self, server, begun):
        assert "2 s" in answered(server.told(begun)).problem(408)

    @pytest.mark.parametrize("asked", [GET, GATHERED], ids=["by_asgi", "gathered"])
    def test_a_kept_connection_is_closed_when_it_is_idle(self, server, asked):
        began = time.monotonic()
        said = server.told(asked + b"\r\n")
        assert answered(said).status == 200
        assert 1.5 < time.monotonic() - began < 6

    def test_a_request_that_takes_long_is_not_cut_off(self, server):
        asked = b"GET /wait?seconds=4 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
        assert answered(server.told(asked)).status == 200

    @pytest.mark.parametrize(
        "more", [b"", GET + b"\r\n", GATHERED + b"\r\n"], ids=["", "by_asgi", "gathered"]
    )
    def test_a_client_that_does_not_read_is_given_up(self, server, more):
        """Its answers would fill the memory; also if it asks for more, which it does not read."""
        before = len(connections(server))
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", server.port))
            client.sendall(b"GET /large?bytes=30000000 HTTP/1.1\r\n" + HOST + b"\r\n")
            port = client.getsockname()[1]
            assert wait_for(lambda: len(connections(server)) > before)
            if more:
                client.recv(1, socket.MSG_PEEK)  # the first answer is on its way
                client.sendall(more)
            assert wait_for(lambda: not unread(server, port))


def connections(server: Running) -> list[list[str]]:
    """The server's open connections, as the kernel lists them."""
    with open(f"/proc/{server.process.pid}/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in list(table)[1:]]
    return [row for row in rows if int(row[1].split(":")[1], 16) == server.port and row[3] == "01"]


def unread(server: Running, port: int) -> bool:
    """Whether the server still holds the connection from this port."""
    return any(int(row[2].split(":")[1], 16) == port for row in connections(server))


def wait_for(holds: Callable[[], object], seconds: float = 15.0) -> bool:
    """Whether something comes to hold."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < deadline:
        if holds():
            return True
        pause.wait(0.05)
    return False
