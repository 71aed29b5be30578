"""A tiny application and a home for it, for tests of what serves: it answers with its artifact.

As a script it is ``python -m flyball.serving`` with this application installed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter
from pydantic import BaseModel

from flyball import configuration, wiring
from flyball.domain.deployment import applied
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.routing import Route, WorkerStatus, empty_route
from flyball.domain.schema import Schema
from flyball.domain.traffic import Event, EventType
from flyball.domain.validation import Verdict
from flyball.errors import ConfigurationError, DeploymentError, StorageUnavailable
from flyball.executors.supervisor import Child
from flyball.ports import Change, Host
from flyball.serving.__main__ import main
from flyball.testing.builders import a_version

COMMAND = (sys.executable, str(Path(__file__)))
MODEL = "toy"


class Constant:
    """Answers with the number its artifact holds."""

    def __init__(self, directory: Path) -> None:
        self.answer = json.loads((directory / "constant.json").read_text())["answer"]

    def smoke(self) -> int:
        if self.answer == "wrong":
            raise DeploymentError("the smoke test got a wrong answer")
        return 1


class SentEvent(BaseModel):
    event_id: str
    type: EventType
    user_id: str
    item_id: str
    recommendation_id: str = ""


class ToyApplication:
    """As much of an application as serving needs."""

    name = "toy"
    schemas = (Schema(columns=()),)

    def open(self, directory: Path) -> Constant:
        return Constant(directory)

    def read_rules(self, document: Mapping[str, Any]) -> None:
        """It has none.

        Raises:
            ConfigurationError: the document holds one.
        """
        if document:
            raise ConfigurationError("toy has no business rules")

    def routes(self, host: Host) -> APIRouter:
        router = APIRouter()
        waiting = 0

        @router.get("/v1/waiting")
        async def being_answered() -> int:
            return waiting

        @router.get("/v1/answer")
        async def answer(user: str = "anyone", seconds: float = 0.0) -> dict[str, Any]:
            started = time.perf_counter()
            choice = host.choose(user)
            nonlocal waiting
            waiting += 1
            await asyncio.sleep(seconds)
            waiting -= 1
            host.served(choice, "answer", time.perf_counter() - started, 200)
            at_ms = time.time_ns() // 1_000_000
            answer_id = host.answers.new(choice.version, at_ms, os.urandom(5).hex())
            host.shown(choice, answer_id, at_ms, user, ["i1", "i2"], k=2)
            return {
                "model_version": choice.version,
                "variant": choice.variant,
                "answer": choice.servable.answer,
                "recommendation_id": answer_id,
            }

        @router.post("/v1/events")
        async def events(sent: list[SentEvent]) -> dict[str, Any]:
            now = datetime.now(UTC)
            made = [
                Event(model=host.model, timestamp=now, received_at=now, **each.model_dump())
                for each in sent
            ]
            return {"new": await host.accept(made)}

        @router.get("/v1/users/{user}")
        async def user(user: str) -> dict[str, list[str]]:
            return {kind: sorted(items) for kind, items in host.overlay(user).items()}

        @router.get("/v1/boom")
        async def boom() -> None:
            raise RuntimeError("secret inner detail")

        @router.post("/v1/kill-a-thread")
        async def kill_a_thread() -> None:
            threading.Thread(target=lambda: {}["a mistake"], name="doomed").start()

        @router.get("/v1/full")
        async def full() -> None:
            raise StorageUnavailable("the database x cannot be used: database or disk is full")

        return router


class ToyHome:
    """A home with the model ``toy``, written as control would write it."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "flyball.toml").write_text('[models.toy]\napplication = "toy"\n')
        self.home = home
        self.platform = wiring.build(configuration.load(home, environ={}))
        self.records = self.platform.records
        self._count = 0

    def publish(self, answer: str) -> ModelVersion:
        """A version whose artifact answers so; versions count up from 1.0.0."""
        made = self.home / "made" / str(self._count)
        made.mkdir(parents=True)
        (made / "constant.json").write_text(json.dumps({"answer": answer}))
        version = a_version(
            f"1.0.{self._count}", model=MODEL, artifact=self.platform.blobs.put(made)
        )
        self._count += 1
        self.records.commit([Change(value=version)])
        return version

    def route(self) -> Route:
        """The route now."""
        found = self.records.find(Route, model=MODEL)
        return found[-1] if found else empty_route(MODEL)

    def write(self, route: Route) -> Route:
        """Want another route."""
        now = self.route()
        self.records.commit([Change(value=route, replacing=now if now.generation else None)])
        return route

    def load(self, version: ModelVersion) -> Route:
        """Want a version in the idle slot."""
        return self.write(self.route().loading(version.name, salt="toy/1"))

    def switch(self) -> Route:
        """Want the other slot live."""
        return self.write(self.route().switched())

    def serve(self, version: ModelVersion) -> Route:
        """Want a version live."""
        self.load(version)
        return self.switch()

    def corrupt(self, version: ModelVersion) -> None:
        """Change a byte of a version's artifact, as a bad disk would."""
        path = next(self.platform.blobs.get(version.artifact).rglob("constant.json"))
        path.parent.chmod(0o755)
        path.chmod(0o644)
        path.write_text(json.dumps({"answer": "damaged"}))

    def statuses(self) -> list[WorkerStatus]:
        """The workers that are alive by what they reported."""
        return self.platform.target.workers()

    def all_applied(self, route: Route, workers: int) -> bool:
        """Whether that many workers report the route."""
        found = self.statuses()
        return len(found) == workers and applied(route, found)[0] is Verdict.PASS

    def worker(self, number: int, fd: int) -> Child:
        """A worker on a shared socket, for a supervisor."""
        argv = [*COMMAND, "--home", str(self.home), "--fd", str(fd)]
        return Child(name=f"worker {number}", argv=argv, pass_fds=(fd,))


def until(condition: Any, seconds: float = 20.0) -> None:
    """Wait for a condition; fails the test when it stays false."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        pause.wait(0.02)


class Load:
    """Concurrent clients that ask ``/v1/answer`` until they are stopped."""

    def __init__(self, url: str, clients: int = 4) -> None:
        self._url = url
        self.answers: list[tuple[str, str, float]] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(clients)]

    @contextmanager
    def running(self) -> Iterator[Load]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def _ask(self, number: int) -> None:
        with httpx.Client(base_url=self._url, timeout=10) as client:
            while not self._stop.is_set():
                started = time.perf_counter()
                try:
                    answer = client.get("/v1/answer", params={"user": f"user-{number}"})
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    continue
                if answer.status_code != 200:
                    self.failures.append(answer.text)
                    continue
                body: Mapping[str, str] = answer.json()
                seconds = time.perf_counter() - started
                self.answers.append((body["model_version"], body["answer"], seconds))


def run(argv: Sequence[str]) -> int:
    """Serve with the toy application."""
    return main(argv, application=lambda _name: ToyApplication())  # type: ignore[arg-type,return-value]


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
