"""An installation whose candidates go wrong, a real ``flyball up`` on it, and players who ask."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psutil
from troubled_models import Trouble, Troubled, TroubledConfig

from flyball import Flyball, configuration
from flyball.domain.deployment import FINAL, Deployment, Phase
from flyball.domain.ledger import LedgerRow
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route, WorkerStatus
from flyball.errors import FlyballError
from flyball.ports import Change
from flyball.testing.builders import a_recipe, a_run, a_version
from flyball.testing.games import packaged, some_purchases

MODEL = "games"
HERE = Path(__file__).parent
PATIENCE_S = 150.0
"""The machine may be busy: what has not come after this long never will."""

SETTINGS = """
[access]
required = false
client_rate = 0
user_rate = 0
[server]
workers = 2
[models.games]
application = "games"
[models.games.rollout]
steps = [0.3, 0.6, 1.0]
interval = "1s"
warm_up = "0.5s"
deadline = "90s"
bake = "2s"
window = "10s"
min_requests = 20
max_error_share = 0.1
"""
"""Steps of seconds: what a rollout takes hours for, on the same way."""

ENTRY_POINTS = "[flyball.models]\ntroubled = troubled_models:Troubled\n"
HISTORIES = (["metroid"], ["portal-2", "metroid"], ["tetris"])


def plug_in(folder: Path) -> Path:
    """Install the family ``troubled`` into a folder, as a user's package would be."""
    about = folder / "troubled-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: troubled\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def until(holds: Callable[[], Any], seconds: float = PATIENCE_S, *, what: str = "") -> Any:
    """What ``holds`` says once it says something; fails after so many seconds."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or holds}"
        pause.wait(0.03)
    return found


class Shop:
    """A home, its versions, and how they stand by its records.

    Args:
        home: made here.
        settings: the content of ``flyball.toml``.
    """

    def __init__(self, home: Path, settings: str = SETTINGS) -> None:
        home.mkdir(parents=True)
        (home / "flyball.toml").write_text(settings)
        self.home = home
        self.verbs = Flyball(config=configuration.load(home, environ={}), actor="operator:test")
        self._published = 0

    @property
    def records(self) -> Any:
        return self.verbs.platform.records

    @cached_property
    def purchases(self) -> Any:
        """What all versions are made from."""
        return some_purchases()

    def publish(self, trouble: Trouble = Trouble.NONE, *, after: int = 40) -> ModelVersion:
        """A version that passed all tests, and goes wrong as it is told."""
        config = TroubledConfig(trouble=trouble, after=after)
        family = type("Family", (Troubled,), {"Config": lambda: config})
        recipe = a_recipe(hyperparameters={"trouble": trouble.value, "number": self._published})
        version = a_version(
            f"1.0.{self._published}",
            family="troubled",
            recipe=recipe,
            run_id=f"{self._published:016x}",
            state=State.STAGING,
        )
        with tempfile.TemporaryDirectory() as folder:
            packaged(family, Path(folder), self.purchases)
            version = replace(version, artifact=self.verbs.platform.blobs.put(Path(folder)))
            self._register(version, Path(folder))
        self._published += 1
        self.records.commit([Change(value=version)])
        return version

    def _register(self, version: ModelVersion, artifact: Path) -> None:
        """As training does: the champion of MLflow's registry is one of those in it."""
        tracker, run = self.verbs.platform.tracker, a_run(run_id=version.run_id)
        tracked = tracker.record(run, params={}, metrics={}, trials=(), artifact=artifact)
        tracker.register(version, tracked)

    def artifact(self, version: ModelVersion) -> Path:
        """Where its artifact lies."""
        return self.verbs.platform.blobs.get(version.artifact, verify=False)

    def deployments(self, version: ModelVersion) -> list[Deployment]:
        """All of a version, the oldest first."""
        return [d for d in self.records.find(Deployment, model=MODEL) if d.version == version.name]

    def deployment(self, version: ModelVersion) -> Deployment:
        """The newest one of a version."""
        return self.deployments(version)[-1]

    def staffed(self) -> bool:
        """Whether there are two workers that are up to date, and a control process."""
        return bool(self.verbs.status().control) and self.settled()

    def state(self, version: ModelVersion) -> State:
        """Where it stands in its lifecycle."""
        return self.records.get(ModelVersion, version.id).state

    def champion(self) -> str | None:
        """The version that serves by the record."""
        return self.records.get(Route, MODEL).champion

    def settled(self) -> bool:
        """Whether every worker has applied the route."""
        route, workers = self.records.get(Route, MODEL), self.verbs.platform.target.workers()
        return len(workers) == 2 and all(
            worker.applied.get(MODEL, 0) >= route.generation for worker in workers
        )

    def ledger(self, version: ModelVersion) -> list[LedgerRow]:
        """What it tells of a version and its deployments."""
        own = {
            version.id,
            *(d.id for d in self.records.find(Deployment) if d.version == version.name),
        }
        return [row for row in self.verbs.ledger(MODEL) if row.entry.subject in own]

    def until(self, holds: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
        """Wait for something in the records; an unavailable database is no answer yet."""

        def held() -> Any:
            try:
                return holds()
            except FlyballError:
                return None

        return until(held, seconds, what=what)

    def at_step(self, version: ModelVersion, step: int) -> Deployment:
        """Wait until the version has its step's share, from 1, or has ended."""

        def there() -> Deployment | None:
            found = self.deployment(version)
            shared = len(found.shifts) >= step and found.shifts[-1].applied_at is not None
            over = found.phase not in (Phase.LOADING, Phase.ROLLING)
            return found if shared or over else None

        found: Deployment = self.until(there, f"step {step} of {version.name}")
        return found

    def ended(self, version: ModelVersion, *, bake: bool = True) -> Deployment:
        """Wait until its rollout has ended (without ``bake``: or bakes)."""
        last = FINAL if bake else FINAL | {Phase.BAKING}

        def over() -> Deployment | None:
            found = self.deployment(version)
            return found if found.phase in last else None

        found: Deployment = self.until(over, f"the end of {version.name}")
        return found


@dataclass
class Up:
    """A running ``flyball up``."""

    process: subprocess.Popen[str]
    api: str
    log: Path

    def parts(self, module: str) -> list[psutil.Process]:
        """Its processes of one kind: ``flyball.console`` or ``flyball.serving``."""
        with suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.process.pid).children(recursive=True)
            return [each for each in found if _runs(each, module)]
        return []

    def workers(self, known: list[WorkerStatus]) -> list[WorkerStatus]:
        """Those of these workers that are its own, and not of one before it."""
        return [worker for worker in known if worker.url == self.api]

    def kill_control(self) -> None:
        """``kill -9`` of the control process; another is started."""
        for each in self.parts("flyball.console"):
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def kill_worker(self) -> None:
        """``kill -9`` of one worker; another is started."""
        for each in self.parts("flyball.serving")[:1]:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def _runs(process: psutil.Process, module: str) -> bool:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        words = process.cmdline()
        return "-m" in words[1:3] and module in words
    return False


def environment(plugins: Path) -> dict[str, str]:
    """Of a process that knows the plug-in."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("FLYBALL_")}
    env |= {"PYTHONPATH": os.pathsep.join([str(plugins), str(HERE)])}
    if env.pop("PYTHONDONTWRITEBYTECODE", ""):  # else each process compiles all it imports
        env["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "flyball-bytecode")
    return env


def command(shop: Shop) -> list[str]:
    """``flyball up`` on free ports."""
    argv = [sys.executable, "-m", "flyball.cli", "up", "--json", "--home", str(shop.home)]
    return [*argv, "--port", "0", "--console-port", "0", "--workers", "2"]


@contextmanager
def up(shop: Shop, plugins: Path) -> Iterator[Up]:
    """``flyball up`` with two workers, once all of it answers; nothing of it is left behind."""
    log = shop.home.parent / "up.log"
    with log.open("w") as told, tempfile.NamedTemporaryFile() as out:
        process = subprocess.Popen(
            command(shop),
            env=environment(plugins),
            stdout=out,
            stderr=told,
            text=True,
            start_new_session=True,
        )
        try:
            about = until(lambda: _document(Path(out.name)), what="flyball up")
            running = Up(process, about["api"], log)
            target = shop.verbs.platform.target
            shop.until(lambda: len(running.workers(target.workers())) == 2, "two workers")
            shop.until(lambda: shop.verbs.status().control, "a control process")
            yield running
        finally:
            _end(process)


def _document(path: Path) -> dict[str, Any] | None:
    with suppress(json.JSONDecodeError):
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    return None


def _end(process: subprocess.Popen[str]) -> None:
    left = []
    with suppress(psutil.NoSuchProcess):
        left = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    for each in left:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


@dataclass
class Answered:
    """One request and how it ended. ``status`` is 0 where the connection broke."""

    at: float
    status: int
    version: str = ""
    fallback: str = ""
    seconds: float = 0.0


@dataclass
class Players:
    """Users who ask for lists and click, each of them again and again, until they are stopped."""

    url: str
    per_second: float = 60.0
    threads: int = 4
    answers: list[Answered] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def playing(self) -> Iterator[Players]:
        """Play meanwhile."""
        threads = [threading.Thread(target=self._play, args=(n,)) for n in range(self.threads)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def since(self, at: float) -> list[Answered]:
        """Answers to what was asked since then (``time.monotonic``)."""
        with self.lock:
            return [answer for answer in self.answers if answer.at >= at]

    def statuses(self, since: float = 0.0) -> Counter[int]:
        """How many ended how."""
        return Counter(answer.status for answer in self.since(since))

    def _play(self, number: int) -> None:
        count, pause = 0, self.threads / self.per_second
        with httpx.Client(base_url=self.url, timeout=20, trust_env=False) as client:
            while not self._stop.wait(pause):
                count += 1
                self._ask(client, f"user-{number}-{count}", count)

    def _ask(self, client: httpx.Client, user: str, count: int) -> None:
        began = time.monotonic()
        asked = {"user_id": user, "history": HISTORIES[count % len(HISTORIES)], "k": 3}
        try:
            answer = client.post("/v1/recommendations", json=asked)
        except httpx.TransportError:
            self._note(Answered(began, 0, seconds=time.monotonic() - began))
            return
        body = answer.json() if answer.status_code == 200 else {}
        version, fallback = body.get("model_version", ""), body.get("fallback") or ""
        self._note(Answered(began, answer.status_code, version, fallback, time.monotonic() - began))
        if body and count % 5 == 0:
            self._click(client, user, body, count)

    def _click(self, client: httpx.Client, user: str, body: dict[str, Any], count: int) -> None:
        """One in five clicks; of those every third is sent twice, as a phone does."""
        event = {
            "event_id": f"{user}-click",
            "type": "click",
            "user_id": user,
            "game_id": body["items"][0]["game_id"],
            "recommendation_id": body["recommendation_id"],
        }
        for _ in range(2 if count % 3 == 0 else 1):
            with suppress(httpx.TransportError):
                if client.post("/v1/events", json=[event]).status_code == 200:
                    with self.lock:
                        self.acknowledged.append(event["event_id"])

    def _note(self, answer: Answered) -> None:
        with self.lock:
            self.answers.append(answer)


def stored(shop: Shop) -> list[str]:
    """The ids of all stored events, in the order of storing."""
    events, ids, cursor = shop.verbs.platform.events, [], 0
    while True:
        page, cursor = events.after(cursor, limit=5_000)
        if not page:
            return ids
        ids += [event.event_id for event in page]


def all_is_well(shop: Shop, players: Players, serving: str, *, since: float) -> dict[str, Any]:
    """Holds where users are answered by one good version, and nothing acknowledged is lost.

    Args:
        serving: the version's name.
        since: ``time.monotonic`` before the fault.

    Returns:
        what the players saw meanwhile, for the table of outcomes.
    """
    shop.until(lambda: shop.champion() == serving, f"{serving} as champion")
    shop.until(shop.settled, "every worker to apply the route")
    settled = time.monotonic()
    until(lambda: players.statuses(settled)[200] >= 50, what="answers")
    answers = players.since(settled + 0.5)
    assert {answer.version for answer in answers if answer.status == 200} == {serving}
    statuses = players.statuses(since)
    with players.lock:
        acknowledged = list(players.acknowledged)
    shop.until(lambda: set(acknowledged) <= set(stored(shop)), "every acknowledged event")
    ids = stored(shop)
    assert len(ids) == len(set(ids))
    assert shop.verbs.verify_ledger() > 0
    return {
        "asked": sum(statuses.values()),
        "failed": sum(count for status, count in statuses.items() if status != 200),
        "stood in for": sum(1 for answer in players.since(since) if answer.fallback),
    }


def lost_after_s(players: Players, version: str, *, shown: float) -> float:
    """Seconds from ``shown`` until nobody was sent to a version any more."""
    last = [a.at for a in players.since(shown) if a.version == version]
    return max(last, default=shown) - shown
