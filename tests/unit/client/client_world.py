"""A world for the client in which nothing is sent: answers are given, and time passes as asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from flyball.client import calls
from flyball.client.credentials import Fixed
from flyball.client.effects import Alone, Answer, Lost, Pause, Wire
from flyball.client.exchange import Options, Session, steps_of
from flyball.errors import FlyballError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FOUND = Answer(200, {}, b'{"items": []}')
AWAY = Lost("ConnectError: refused")


def said(status: int, **headers: str) -> Answer:
    body = {"type": "urn:x", "title": "T", "status": status, "detail": "D", "instance": "urn:i"}
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, told, msgspec.json.encode(body))


class World:
    """Gives each request the next of the given answers, and lets time pass as it is asked to."""

    def __init__(self, *came: Answer | Lost, credentials: Any = None, draw: float = 0.5) -> None:
        self.came, self.time = list(came), 0.0
        self.wires: list[Wire] = []
        self.pauses: list[float] = []
        self.session = Session(
            base="http://server",
            credentials=credentials or Fixed({}),
            clock=lambda: self.time,
            now=lambda: NOW + timedelta(seconds=self.time),
            draw=lambda: draw,
        )
        self.cost = 0.0

    def run(self, plan: Any, **options: Any) -> Any:
        return self._drive(steps_of(plan, self.session, Options(**options)))

    def _drive(self, steps: Any) -> Any:
        try:
            effect = next(steps)
            while True:
                try:
                    result = self._do(effect)
                except FlyballError as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as done:
            return done.value

    def _do(self, effect: Any) -> Any:
        match effect:
            case Wire():
                self.wires.append(effect)
                self.time += self.cost
                return self.came.pop(0)
            case Pause(seconds):
                self.pauses.append(seconds)
                self.time += seconds
                return None
            case Alone(steps):
                return self._drive(steps)


def search() -> Any:
    return calls.search("portal")
