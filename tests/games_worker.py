"""A real worker that serves a small model of games: for tests that send it what nobody should."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from flyball import configuration, wiring
from flyball.access.verbs import Access
from flyball.domain.access import Scope
from flyball.domain.routing import empty_route
from flyball.ports import Change
from flyball.recommend import Ease
from flyball.testing.builders import a_version
from flyball.testing.games import packaged, some_purchases
from flyball.wiring import Platform
from warm_start import Forked, server

MODEL = "games"
PASSWORD = "seven green otters sing"
UNLIMITED = "client_rate = 0\nuser_rate = 0\nsign_in_rate = 0\nfailure_rate = 0\n"


@dataclass
class GamesWorker:
    """A serving process of its own, on a home of its own.

    Attributes:
        key: an API key with all scopes; empty where callers need none.
        log: the file that holds its standard error.
    """

    process: Forked
    platform: Platform
    url: str
    log: Path
    key: str = ""

    @property
    def home(self) -> Path:
        return self.platform.settings.home

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def credentials(self) -> dict[str, str]:
        """The headers of a good request."""
        return {"X-API-Key": self.key} if self.key else {}

    def client(self) -> httpx.Client:
        """A client with good credentials."""
        return httpx.Client(
            base_url=self.url, headers=self.credentials, timeout=20, trust_env=False
        )

    def memory(self) -> int:
        """Bytes of anonymous memory that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) * 1024

    def cpu_s(self) -> float:
        """Seconds of processor that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def logged(self) -> bytes:
        """All that it has written to its log so far."""
        return self.log.read_bytes()

    def ends(self) -> bytes:
        """Have it end in good order, with all that it still has to write; its whole log."""
        self.process.terminate()
        assert self.process.wait(30) == 0, self.logged().decode(errors="replace")
        return self.logged()


@contextmanager
def a_games_worker(folder: Path, *arguments: str, guarded: bool = False) -> Iterator[GamesWorker]:
    """A worker that is ready.

    Args:
        folder: for its home, which must not be there yet, and its log.
        arguments: more of ``python -m flyball.serving``.
        guarded: callers need credentials: there are a key, a client and an account.
    """
    platform, key = _home(folder / "home", guarded)
    options = ("--home", folder / "home", "--port", "0", *arguments)
    log = folder / "worker.log"
    try:
        with server("flyball.serving", *options, log=log) as (process, url):
            made = GamesWorker(process, platform, url, log, key)
            with made.client() as client:
                until(lambda: client.get("/health/ready").status_code == 200)
            yield made
    finally:
        platform.close()


def _home(home: Path, guarded: bool) -> tuple[Platform, str]:
    """A home with one version that serves, and the key of whoever may do everything."""
    home.mkdir(parents=True)
    access = f"[access]\nrequired = {json.dumps(guarded)}\n{UNLIMITED}"
    (home / "flyball.toml").write_text(f'{access}[models.games]\napplication = "games"\n')
    platform = wiring.build(configuration.load(home, environ={}))
    artifact = home / "artifact"
    artifact.mkdir()
    packaged(Ease, artifact, some_purchases())
    version = a_version(model=MODEL, artifact=platform.blobs.put(artifact))
    route = empty_route(MODEL).loading(version.name, salt="games/1").switched()
    platform.records.commit([Change(value=version), Change(value=route)])
    if not guarded:
        return platform, ""
    verbs = Access(platform.records, platform.clock, "operator:test")
    verbs.create_client("shop", [Scope.READ])
    verbs.create_account("ada", PASSWORD, [Scope.READ, Scope.EVENTS])
    return platform, verbs.create_key("everything", list(Scope)).text


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition; fails the test when it stays false."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        pause.wait(0.02)
