"""Hot swap: 100 swaps under load, 0 failed requests.

Without arguments: two supervised workers serve a tiny application (``tests/integration/toy.py``)
from a throw-away home; each swap loads a new version and switches to it. With ``--home`` the
versions of that home are used: its route must hold two of them, and each swap switches to the
other; the route is put back at the end. Exit code 1 on any failed request.

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

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "integration"))

from toy import COMMAND, MODEL, ToyHome

from benchmarks.table import Line, judged
from flyball import configuration, wiring
from flyball.domain.deployment import applied, loaded
from flyball.domain.routing import Route, WorkerStatus
from flyball.domain.validation import Verdict
from flyball.executors.supervisor import Child, Supervisor
from flyball.ports import Change
from flyball.serving.server import listening, url_of
from flyball.wiring import Platform

WORKERS = 2
CLIENTS = 4
SERVING = (sys.executable, "-m", "flyball.serving")


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

    def __init__(self, platform: Platform, model: str) -> None:
        self.platform, self.model = platform, model

    @contextmanager
    def running(self, command: tuple[str, ...]) -> Iterator[str]:
        home = str(self.platform.home)
        with listening("127.0.0.1", 0) as sock:
            argv = [*command, "--home", home, "--fd", str(sock.fileno())]
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


def swap_toy(home: ToyHome, fleet: Fleet, number: int) -> float:
    """Load a new version, and switch to it; seconds from the switch to the last worker."""
    version = home.publish(f"answer {number}")
    home.load(version)
    fleet.loaded(version.name)
    return fleet.acknowledged(home.switch())


def swap_own(fleet: Fleet) -> float:
    """Switch to the other version of the home; seconds to the last worker."""
    return fleet.acknowledged(fleet.write(fleet.route().switched()))


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
    parser.add_argument("--path", default="/v1/recommendations/player-1?k=10")
    arguments = parser.parse_args()
    if arguments.home is not None:
        fleet = Fleet(wiring.build(configuration.load(arguments.home)), arguments.model)
        with fleet.running(SERVING) as url:
            load = Load(url + arguments.path)
            with load.running():
                waits = [swap_own(fleet) for _ in range(arguments.swaps + arguments.swaps % 2)]
        return report(load, waits)
    with tempfile.TemporaryDirectory() as folder:
        home = ToyHome(Path(folder) / "home")
        home.serve(home.publish("answer 0"))
        fleet = Fleet(home.platform, MODEL)
        with fleet.running(COMMAND) as url:
            load = Load(url + "/v1/answer")
            with load.running():
                waits = [swap_toy(home, fleet, n) for n in range(1, arguments.swaps + 1)]
        return report(load, waits)


if __name__ == "__main__":
    sys.exit(main())
