"""What ``flyball up`` tells, and the sample's first turn that it starts."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flyball.cli.household import Household
from flyball.cli.narrator import Narrator
from flyball.cli.sample import FILE

GAMES = {"items": [{"title": title} for title in ("Portal", "Hades", "Celeste", "Braid")]}


class Ready(BaseHTTPRequestHandler):
    """A server that is ready at once."""

    def do_GET(self) -> None:
        body = json.dumps(GAMES).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def a_household(url: str, *, sampled: bool) -> Household:
    return Household(
        home=Path("/srv/shop"), api=url, console=url, console_port=0, socket_fd=0, workers=1,
        sample=False, sampled=sampled, players=False, log_level="warning",
    )  # fmt: skip


def story(house: Household) -> list[str]:
    told: list[str] = []
    narrator = Narrator(house, threading.Event(), told.append)
    narrator.start()
    narrator.join(30)
    assert not narrator.is_alive()
    return [line.partition(" s  ")[2] for line in told]


def test_the_sample_is_told_up_to_its_first_recommendation(url):
    assert story(a_household(url, sampled=True)) == [
        f"API ready: {url}/docs",
        f"console ready: {url}",
        f"first recommendation: {url}/v1/recommendations/player-00001?k=5 "
        "(Portal, Hades, Celeste, ...)",
    ]


def test_of_a_home_of_ones_own_it_is_told_what_is_ready(url):
    assert story(a_household(url, sampled=False)) == [
        f"API ready: {url}/docs",
        f"console ready: {url}",
    ]


def test_the_samples_turn_begins_only_when_it_is_told_to(tmp_path):
    """Whoever started it may have gone before the control process was ready."""
    argv = [sys.executable, "-m", "flyball.cli.sample", str(tmp_path)]
    ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert ended.returncode == 3
    assert [path.name for path in tmp_path.iterdir()] == [Path(FILE).parent.name]
