"""Rollback: how soon is a bad version out of the traffic, and what does a switch cost users?

Two supervised workers serve the games application and a controller moves rollouts, as in `flyball
up`; clients ask at 100 requests a second in all, each for another player each time. Measured are:

* a version whose every second answer fails at a 5% step: seconds from its first error that a
  client sees (another version's answer in its place) to its last answer, over ``--bad`` rollouts;
* `flyball rollback`: seconds from the command's begin to the last worker's acknowledgement;
* failed requests in ``--rollouts`` rollouts of good versions under that load, from 5% to all
  traffic, every third one taken back by `flyball rollback`.

    python -m benchmarks.rollbacks [--bad 15] [--rollouts 200]

Exits 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import httpx

from benchmarks.hot_swap import Fleet
from benchmarks.table import Line, judged
from flyball import Flyball, configuration
from flyball.domain.deployment import FINAL, Deployment, Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.training import Run
from flyball.games.world import World
from flyball.loop.controller import Controller
from flyball.loop.tasks import desk
from flyball.ports import Change
from flyball.steps.deploy import begin
from flyball.testing.spoilt import NAME, Spoil, installed, spoil

MODEL = "games"
PLAYERS = 600
RATE = 100.0
CLIENTS = 8
QUICK = {"interval": "0.2s", "warm_up": "0.1s", "min_requests": 1, "decisive": []}
"""Good versions are moved on at once: here the switches are measured, not the judge."""

_TOML = """[models.games]
application = "{application}"
search = {{ trials = 2 }}
rollout = {{ {rollout} }}
"""


@dataclass
class Answered:
    """One answer: when, by which version, and whether another one stood in."""

    at: float
    version: str
    instead: bool


@dataclass
class Players:
    """Clients that ask at a steady rate, each time for the next player, until they are stopped."""

    url: str
    answers: list[Answered] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self) -> Iterator[Players]:
        threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _ask(self, number: int) -> None:
        pace = CLIENTS / RATE
        due = time.monotonic() + pace * number / CLIENTS
        with httpx.Client(timeout=30) as client:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due += pace
                self._once(client, f"visitor-{next(self._numbers)}")

    def _once(self, client: httpx.Client, player: str) -> None:
        asked = {"user_id": player, "history": [], "k": 10}
        try:
            answer = client.post(f"{self.url}/v1/recommendations", json=asked)
            answer.raise_for_status()
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            self.failures.append(repr(error))
            return
        instead = body.get("fallback") is not None
        self.answers.append(Answered(time.monotonic(), body["model_version"], instead))


class Shop:
    """A home with a champion, and more versions as they are needed."""

    def __init__(self, flyball: Flyball) -> None:
        self.flyball, self.platform = flyball, flyball.platform
        self._numbers = count(1)

    def another(self, how: Spoil | None = None) -> ModelVersion:
        """A new version in staging: the champion's model, spoilt where that is asked for."""
        records, number = self.platform.records, next(self._numbers)
        found = records.find(ModelVersion, model=MODEL)[0]
        artifact = found.artifact
        if how is not None:
            good = self.platform.blobs.get(found.artifact)
            with tempfile.TemporaryDirectory() as folder:
                artifact = self.platform.blobs.put(spoil(good, how, Path(folder) / "spoilt"))
        name = f"1.0.{number}-" + found.name.partition("-")[2]
        version = replace(found, name=name, artifact=artifact, state=State.STAGING)
        run = records.get(Run, f"{MODEL}/{found.run_id}")
        assert run.result is not None
        self.platform.tracker.register(version, run.result.tracked_as)
        records.commit([Change(value=version)])
        return version

    def begun(self, version: ModelVersion) -> Deployment:
        """A rollout of it, begun."""
        return begin(desk(self.platform, MODEL, "benchmark"), version)

    def until(self, deployment: Deployment, *phases: Phase, seconds: float = 120) -> Deployment:
        """The deployment, once it is in one of these phases."""
        pause, end = threading.Event(), time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.platform.records.get(Deployment, deployment.id)
            if now.phase in phases:
                return now
            pause.wait(0.01)
        raise SystemExit(f"{deployment.id} is {now.phase}: {now.held or now.detail or 'no reason'}")


def home_made(home: Path, **rollout: object) -> Shop:
    """A home whose champion was trained on the sample world."""
    values = ", ".join(f"{k} = {v!r}".replace("'", '"') for k, v in rollout.items())
    home.mkdir(parents=True)
    (home / "flyball.toml").write_text(_TOML.format(application=NAME, rollout=values))
    flyball = Flyball(config=configuration.load(home), actor="benchmark")
    file = home.parent / "world.csv"
    World(7, players=PLAYERS).write(file)
    flyball.run(MODEL, [str(file)])
    return Shop(flyball)


@contextmanager
def serving(shop: Shop) -> Iterator[Players]:
    """Workers, a controller, and players that ask."""
    controller = Controller(shop.platform)
    with (
        Fleet(shop.platform, MODEL, log_level="critical").running() as url,
        Players(url).asking() as players,
    ):
        controller.start()
        try:
            yield players
        finally:
            controller.close()


def bad_ones(shop: Shop, rollouts: int) -> tuple[list[float], list[str]]:
    """Seconds from the first error to the last answer of each bad version, and failed requests."""
    found = []
    with serving(shop) as players:
        for _ in range(rollouts):
            shop.another()  # an ordinal of its own
            version = shop.another(Spoil(errors=0.5))
            began = time.monotonic()
            deployment = shop.until(shop.begun(version), *FINAL)
            assert deployment.phase is Phase.ROLLED_BACK, deployment
            threading.Event().wait(1.0)
            found.append(_from_first_error(players, version.name, since=began))
        return found, players.failures


def _from_first_error(players: Players, version: str, *, since: float) -> float:
    answers = [answer for answer in list(players.answers) if answer.at >= since]
    errors = [answer.at for answer in answers if answer.instead]
    touched = [answer.at for answer in answers if answer.instead or answer.version == version]
    return max(touched) - errors[0]


def good_ones(shop: Shop, rollouts: int) -> tuple[list[float], list[str], int]:
    """Seconds of each rollback, failed requests, and how many were asked."""
    waits = []
    with serving(shop) as players:
        for number in range(rollouts):
            shop.until(shop.begun(shop.another()), Phase.BAKING)
            if number % 3 == 2:
                done = shop.flyball.rollback(MODEL, reason="a rehearsal")
                assert done.seconds is not None, "the workers did not acknowledge the rollback"
                waits.append(done.seconds)
        return waits, players.failures, len(players.answers)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bad", type=int, default=15)
    parser.add_argument("--rollouts", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        plugins = Path(folder) / "plugins"
        os.environ.update(installed(plugins))
        sys.path.insert(0, str(plugins))
        shop = home_made(Path(folder) / "bad", max_error_share=0.01)
        seconds, failed_bad = bad_ones(shop, chosen.bad)
        shop.flyball.close()
        shop = home_made(Path(folder) / "good", steps=[0.05, 0.5, 1.0], **QUICK)
        waits, failed_good, asked = good_ones(shop, chosen.rollouts)
        shop.flyball.close()
    for failure in (failed_bad + failed_good)[:5]:
        print(f"  {failure}")
    failures = len(failed_bad) + len(failed_good)
    first, last = "a bad version's first error to 0% traffic", "rollback to the last worker's word"
    return judged(
        f"Rollouts at {RATE:g} requests/s ({asked:,} answers in {chosen.rollouts} good ones)",
        [
            Line(what=first, values=seconds, limit=2.0, unit="s"),
            Line(what=last, values=waits, limit=1.0, unit="s"),
            Line(what="failed requests", values=[failures], limit=0, unit=""),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
