"""Who is compared: the floor, servers that do no more than it, and Flyball with all of it on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.hot_swap import Fleet
from benchmarks.serving.processes import (
    ONE_THREAD,
    PATH,
    WORKERS,
    Running,
    free_port,
    on_its_own,
    on_one_port,
)
from benchmarks.serving.scoring import Best
from benchmarks.serving.worker import DATA
from benchmarks.serving.world import MODEL, World
from flyball import configuration, wiring

FLOOR, FASTAPI, FLYBALL, FILTERED = "floor", "FastAPI + pydantic", "Flyball", "Flyball, filters"


@dataclass(frozen=True, slots=True)
class Contender:
    """One server.

    Attributes:
        name: in the table.
        running: starts it; ends it when left.
        bodies: what it is asked.
        alike: whether it must give the list that ``Best`` gives.
    """

    name: str
    running: Callable[[World], AbstractContextManager[Running]]
    bodies: Callable[[World], Path] = lambda world: world.bodies
    alike: bool = True


def _shared(module: str) -> Callable[[World], AbstractContextManager[Running]]:
    return lambda world: on_one_port(f"benchmarks.serving.{module}", world.data)


@contextmanager
def granian(world: World) -> Iterator[Running]:
    """The application by hand under granian, tuned as its README says."""
    port = free_port()
    argv = [sys.executable, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--workers", str(WORKERS), "--http", "1", "--no-ws"]
    argv += ["--loop", "uvloop", "--runtime-mode", "st", "--log-level", "warning", "--factory"]
    argv += ["benchmarks.serving.plain_asgi:factory"]
    env = {**os.environ, **ONE_THREAD, DATA: str(world.data)}
    body = world.bodies.read_bytes().splitlines()[0]
    url = f"http://127.0.0.1:{port}{PATH}"
    with on_its_own(argv, url, body, env=env, log=world.data / "granian.log") as running:
        yield running


@contextmanager
def flyball(world: World) -> Iterator[Running]:
    """The product's workers, as ``flyball up`` starts them."""
    platform = wiring.build(configuration.load(world.home, environ={}))
    try:
        fleet = Fleet(platform, MODEL)
        with fleet.running() as url:
            pids = tuple(int(w.worker.rpartition(":")[2]) for w in fleet.workers())
            if httpx.post(url + PATH, json={}).status_code != httpx.codes.UNAUTHORIZED:
                raise SystemExit("Flyball lets somebody in without a key: access is not on")
            yield Running(url + PATH, pids)
    finally:
        platform.close()


ALL = (
    Contender(FLOOR, _shared("floor")),
    Contender("floor, tuned scoring", _shared("floor_tuned")),
    Contender("ASGI, uvicorn", _shared("plain_asgi")),
    Contender("ASGI, granian", granian),
    Contender("Starlette", _shared("plain_starlette")),
    Contender(FASTAPI, _shared("plain_fastapi")),
    Contender(FLYBALL, flyball),
    Contender(FILTERED, flyball, lambda world: world.filtered, alike=False),
)


def differing(world: World, contender: Contender, running: Running, best: Best) -> list[str]:
    """Of some players, those who get another list of ten games than ``Best`` gives."""
    given = (line.split(": ", 1) for line in world.headers.read_text().splitlines())
    known = {"content-type": "application/json"} | dict(given)
    asked = contender.bodies(world).read_bytes().splitlines()[:: max(1, len(world.players) // 20)]
    wrong = []
    with httpx.Client(headers=known, timeout=20) as client:
        for body in asked:
            player = json.loads(body)["user_id"]
            answer = client.post(running.url, content=body)
            answer.raise_for_status()
            found = [item["game_id"] for item in answer.json()["items"]]
            right = [best.ids[column] for column in best.columns(player, 10)[0]]
            if len(found) != 10 or (contender.alike and found != right):
                wrong.append(player)
    return wrong
