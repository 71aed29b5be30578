"""Limits that workers count together, in a real Redis."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.access.limiter import Limiter
from flyball.access.shared import AWAY_S, Shared
from flyball.errors import TooManyRequests

redis = pytest.importorskip("redis", reason="the extra flyball[redis] is not installed")
SERVER = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed")


class Redis:
    """A server of its own on a socket in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "redis.sock"
        self.url = f"redis+unix://{self.path}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert SERVER is not None
        argv = [SERVER, "--port", "0", "--unixsocket", str(self.path), "--save", ""]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=self.path.parent)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"ready to accept connections" in line.lower():
                return
        pytest.fail("redis-server ended")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    made = Redis(tmp_path_factory.mktemp("r"))
    made.start()
    yield made
    made.stop()


def through(limiter: Limiter, key: str, most: int, times: int = 1) -> int:
    """How many of so many requests are let through."""
    done = 0
    for _ in range(times):
        try:
            limiter.take(key, most, what="requests", reason="client_rate")
        except TooManyRequests:
            continue
        done += 1
    return done


def test_a_small_limit_holds_exactly_over_all_workers(server):
    workers = [Limiter(Shared(server.url)) for _ in range(4)]
    assert sum(through(workers[turn % 4], "a", 10) for turn in range(40)) == 10
    with pytest.raises(TooManyRequests) as refused:
        workers[0].take("a", 10, what="requests", reason="client_rate")
    assert 1.0 <= refused.value.retry_after_s <= 120.0
    assert through(workers[0], "b", 10, 5) == 5


def test_a_large_limit_holds_to_a_twentieth_for_each_worker(server):
    workers = [Limiter(Shared(server.url)) for _ in range(3)]
    counted = sum(through(workers[turn % 3], "a", 1000) for turn in range(3000))
    assert 1000 <= counted <= 1000 + 3 * 50


def test_redis_is_told_no_names(server):
    limiter = Limiter(Shared(server.url))
    through(limiter, "user/ada.lovelace@example.com", 10, 3)
    with redis.Redis(unix_socket_path=str(server.path)) as client:
        names = b" ".join(client.scan_iter())
    assert names
    assert b"ada" not in names


def test_a_worker_counts_by_itself_while_redis_is_away_and_comes_back(server):
    at = [1_800_000_000.0]
    away: list[None] = []
    shared = Shared(server.url, on_away=lambda: away.append(None), now=lambda: at[0])
    limiter = Limiter(shared, now=lambda: at[0])
    assert through(limiter, "a", 10, 3) == 3
    server.stop()
    assert through(limiter, "a", 10, 20) == 7
    assert len(away) == 7
    server.start()
    at[0] += AWAY_S
    away.clear()
    assert through(limiter, "b", 10, 20) == 10
    assert away == []


def test_one_that_hangs_holds_nobody_up_for_long():
    with socket.create_server(("127.0.0.1", 0)) as hangs:  # accepts, and never answers
        port = hangs.getsockname()[1]
        away: list[None] = []
        limiter = Limiter(Shared(f"redis://127.0.0.1:{port}", on_away=lambda: away.append(None)))
        began = time.monotonic()
        assert through(limiter, "a", 30, 30) == 30
        assert time.monotonic() - began < 2.0
        assert len(away) == 30
