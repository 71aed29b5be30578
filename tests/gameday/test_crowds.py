"""More connections than a server can use: it goes on answering those who ask."""

from __future__ import annotations

import http.client
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bare_server import Running, a_bare_server

CROWD = 10_000
REQUEST = b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@contextmanager
def many_open_files() -> Iterator[int]:
    """As many as this machine allows; as before afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def crowd(server: Running, size: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many clients that connect, say something, and stay."""
    clients: list[socket.socket] = []
    try:
        for _ in range(size):
            client = socket.socket()
            clients.append(client)
            client.settimeout(20)
            client.connect(("127.0.0.1", server.port))
            if said:
                client.sendall(said)
        yield clients
    finally:
        for client in clients:
            client.close()


def seconds_to_answer(server: Running, requests: int) -> list[float]:
    """What each of some requests on new connections took; all must be answered."""
    took = []
    for _ in range(requests):
        began = time.perf_counter()
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        client.request("GET", "/echo")
        assert client.getresponse().status == 200
        client.close()
        took.append(time.perf_counter() - began)
    return sorted(took)


def recovers(server: Running) -> bool:
    """Whether it comes to answer again."""
    deadline, pause = time.monotonic() + 10, threading.Event()
    while time.monotonic() < deadline:
        try:
            return bool(seconds_to_answer(server, 1))
        except OSError:
            pause.wait(0.1)
    return False


def open_files(server: Running) -> int:
    """Of the server's process."""
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


@pytest.mark.slow
def test_ten_thousand_idle_connections_are_held_at_little_cost_and_others_are_answered():
    """Less than 10 kB each, while a new client waits no longer than a moment."""
    with many_open_files() as most, a_bare_server(bounds={"head_s": 120, "idle_s": 120}) as server:
        size = min(CROWD, most - 1_000)
        seconds_to_answer(server, 50)
        before = server.memory()
        with crowd(server, size, said=REQUEST):
            held = (server.memory() - before) / size
            took = seconds_to_answer(server, 200)
            assert open_files(server) > size
        told = f"{size} connections: {held:.0f} bytes each, slowest answer {took[-1]:.3f} s"
        assert held < 10_000, told
        assert took[100] < 0.05, told
        assert took[-1] < 1.0, told


def test_idle_connections_are_given_up_for_new_ones_where_no_more_may_be_open():
    with (
        a_bare_server(bounds={"connections": 20, "head_s": 60, "idle_s": 60}) as server,
        crowd(server, 100, said=REQUEST[:9]),
    ):
        seconds_to_answer(server, 50)
        assert open_files(server) < 60


def test_a_server_without_open_files_left_survives_and_does_not_burn_the_processor():
    """Even if something else takes them, and no bound of connections helps."""
    with a_bare_server(bounds={"connections": 100_000, "head_s": 60.0}, files=100) as server:
        with crowd(server, 300, said=REQUEST):
            used = server.cpu_s()
            threading.Event().wait(2)
            assert server.cpu_s() - used < 1.0
            assert server.process.poll() is None
        assert recovers(server)
        assert len(seconds_to_answer(server, 20)) == 20


def test_with_few_open_files_connections_leave_some_for_the_rest():
    """The bound follows the limit of open files, which is raised as far as may be."""
    with (
        a_bare_server(files=400) as server,  # its soft limit is 64
        crowd(server, 500, said=REQUEST),
    ):
        seconds_to_answer(server, 20)
        assert 150 < open_files(server) < 260
