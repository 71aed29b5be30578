"""A rollout of the games that is watched, and versions that go wrong in it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgspec

from flyball.domain.routing import Watch, draw
from flyball.exchange import Call, Reply
from flyball.games.lists import Lists
from flyball.games.routes import GamesApi
from flyball.testing.games import OneVersionHost

WATCH = Watch("games/7", 0.05)
THEIRS = "player-2"


def tag(unit: str) -> int:
    return draw(unit, WATCH.salt).tag


class Rolling(OneVersionHost):
    """A rollout: ``THEIRS`` is the challenger's, all others are the champion's."""

    def shown(self, *arguments: Any, **named: Any) -> None:
        pass


def rolling(champion: Any, challenger: Any) -> Rolling:
    return Rolling(champion, other=challenger, watch=WATCH, theirs=frozenset({THEIRS}))


def asked(host: OneVersionHost, *sent: dict[str, Any], deadline: float = math.inf) -> list[Any]:
    calls = [Call(json.dumps(each).encode(), deadline=deadline) for each in sent]
    return GamesApi(host, Lists(host)).recommend_together(calls)


def document(reply: Reply | Exception) -> dict[str, Any]:
    assert isinstance(reply, Reply), reply
    found = msgspec.json.decode(reply.body)
    del found["recommendation_id"]
    return found


def players(*numbers: int) -> list[dict[str, Any]]:
    return [{"user_id": f"player-{number}", "k": 5} for number in numbers]


class BadModel:
    """The champion's model; what it scores goes through ``harm``."""

    def __init__(self, model: Any, harm: Callable[[Any], Any]) -> None:
        self._model, self._harm = model, harm

    def score(self, history: Any) -> Any:
        return self._harm(self._model.score(history))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class BadServable:
    """The champion; what it answers goes through ``harm``."""

    def __init__(self, servable: Any, harm: Callable[[Any], Any]) -> None:
        self._servable, self._harm = servable, harm

    def answers(self, questions: Any, *, popular: bool = False) -> Any:
        return self._harm(self._servable.answers(questions, popular=popular))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._servable, name)


def raising(*_: Any) -> Any:
    raise ZeroDivisionError("secret inner detail")


def no_number(scores: Any) -> Any:
    return scores * math.nan
