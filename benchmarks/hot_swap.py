"""Hot swap: 100 swaps under load, 0 failed requests.

Two supervised workers serve the games application; for each swap the other version is loaded anew
(verified, mapped, smoke-tested) and switched to, while clients ask without a pause. Without
``--home`` a home is made first: one turn of the loop on the sample world, and a second version
trained on more of it. With ``--home`` the versions of that home are used: its route must hold two
of them. Exit code 1 on any failed request.

    python -m benchmarks.hot_swap [--swaps 100] [--home DIR --model games --path /v1/...]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.table import Line, judged
from flyball import Flyball, configuration
from flyball.domain.deployment import applied, loaded
from flyball.domain.routing import Route, WorkerStatus
from flyball.domain.validation import Verdict
from flyball.executors.supervisor import Child, Supervisor
from flyball.games.world import World
from flyball.ports import Change
from flyball.serving.server import listening, url_of
from flyball.wiring import Platform

WORKERS = 2
CLIENTS = 4
SERVING = (sys.executable, "-m", "flyball.serving", "--log-level")


@dataclass
class Load:
    """Clients that ask without a pause, until they are stopped."""

    url: str
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.ask) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def ask(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self.stop.is_set():
                started = time.perf_counter()
                try:
                    answer = client.get(self.url)
                    answer.raise_for_status()
                    self.versions.add(answer.json()["model_version"])
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    self.failures.append(repr(error))
                else:
                    self.seconds.append(time.perf_counter() - started)


class Fleet:
    """Supervised workers on one socket, and the route they follow."""

    def __init__(self, platform: Platform, model: str, log_level: str = "warning") -> None:
        self.platform, self.model = platform, model
        self._log_level = log_level

    @contextmanager
    def running(self) -> Iterator[str]:
        home = str(self.platform.home)
        with listening("127.0.0.1", 0) as sock:
            argv = [*SERVING, self._log_level, "--home", home, "--fd", str(sock.fileno())]
            children = [
                Child(name=f"worker {n}", argv=argv, pass_fds=(sock.fileno(),))
                for n in range(WORKERS)
            ]
            stop = threading.Event()
            thread = threading.Thread(target=Supervisor(children).run, args=(stop,))
            thread.start()
            try:
                self.acknowledged(self.route(), seconds=60)
                yield url_of(sock)
            finally:
                stop.set()
                thread.join()

    def route(self) -> Route:
        return self.platform.records.get(Route, self.model)

    def write(self, route: Route) -> Route:
        change = Change(value=route, replacing=self.route())
        self.platform.records.commit([change])
        return route

    def workers(self) -> list[WorkerStatus]:
        return self.platform.target.workers()

    def acknowledged(self, route: Route, seconds: float = 30) -> float:
        """Seconds until the last worker reported the route, with its live version loaded."""
        started = time.monotonic()
        pause = threading.Event()
        while time.monotonic() - started < seconds:
            found = self.workers()
            verdicts = {applied(route, found)[0], loaded(route, route.champion or "", found)[0]}
            if len(found) == WORKERS and verdicts == {Verdict.PASS}:
                return time.monotonic() - started
            pause.wait(0.01)
        raise SystemExit(f"the workers did not apply generation {route.generation} in {seconds} s")

    def loaded(self, version: str) -> None:
        pause = threading.Event()
        while loaded(self.route(), version, self.workers())[0] is not Verdict.PASS:
            pause.wait(0.01)

    def swap(self) -> float:
        """Load the other version anew and switch to it; seconds from the switch to the last ack."""
        other = self.route().standby
        assert other is not None, "the route holds one version only; a swap needs two"
        self.acknowledged(self.write(self.route().unloaded()))
        self.write(self.route().loading(other, salt="hot swap"))
        self.loaded(other)
        return self.acknowledged(self.write(self.route().switched()))


def two_versions(home: Path) -> None:
    """A home whose route holds two versions of the sample's model."""
    small = {"FLYBALL_MODELS__GAMES__SEARCH__TRIALS": "2"}
    with Flyball(config=configuration.load(home, environ=small), actor="benchmark") as flyball:
        for number, players in enumerate((600, 800)):
            file = home.parent / f"world-{number}.csv"
            World(7, players=players).write(file)
            flyball.ingest("games", [str(file)])
            trained = flyball.train("games").version
            if number == 0:
                flyball.validate("games", trained.name)
                flyball.deploy("games", trained.name)
        route = flyball.platform.records.get(Route, "games")
        wanted = route.loading(trained.name, salt="hot swap")
        flyball.platform.records.commit([Change(value=wanted, replacing=route)])


def report(load: Load, waits: list[float]) -> int:
    """Print what was measured; the exit code."""
    percentiles = statistics.quantiles(load.seconds, n=100)
    p50, p99 = percentiles[49] * 1e3, percentiles[98] * 1e3
    print(f"requests                   {len(load.seconds) + len(load.failures)}")
    print(f"versions that answered     {len(load.versions)}")
    print(f"latency p50 / p99          {p50:.1f} / {p99:.1f} ms")
    for failure in load.failures[:5]:
        print(f"  {failure}")
    failed = Line(what="failed requests", values=[len(load.failures)], limit=0, unit="")
    waited = Line(what="last worker acknowledges a swap", values=waits, limit=1.0, unit="s")
    return judged(f"{len(waits)} hot swaps under load", [failed, waited])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--model", default="games")
    parser.add_argument("--path", default="/v1/recommendations/player-00001?k=10")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = arguments.home or Path(folder) / "home"
        if arguments.home is None:
            two_versions(home)
        with Flyball(home=home) as flyball:
            fleet = Fleet(flyball.platform, arguments.model)
            with fleet.running() as url:
                load = Load(url + arguments.path)
                with load.running():
                    waits = [fleet.swap() for _ in range(arguments.swaps)]
        return report(load, waits)


if __name__ == "__main__":
    sys.exit(main())
