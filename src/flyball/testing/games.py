"""A small world of games, and a host that serves one version of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from flyball.domain.access import Caller
from flyball.domain.privacy import Pseudonyms
from flyball.domain.routing import Variant, Watch, draw
from flyball.domain.traffic import Answers, Event
from flyball.errors import FlyballError, NotFound, TooManyRequests
from flyball.games.catalogue import known_games
from flyball.ports import Choice, Tables

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from flyball.games.servable import GamesServable
    from flyball.recommend.protocols import Recommender

VERSION = "1.0.0-0123abcd-89ef4567"
OTHER = "1.1.0-0123abcd-00000000"
N_KNOWN, N_UNKNOWN = 30, 10


def game_titles() -> list[str]:
    """30 well-known games, of which facts are known, and 10 of which nothing is."""
    known = [game.title for game in list(known_games().values())[:N_KNOWN]]
    return known + [f"Obscure Game {number}" for number in range(N_UNKNOWN)]


def some_purchases(players: int = 60, *, seed: int = 0) -> pl.DataFrame:
    """Players of two tastes: each owns 6 to 12 games, most of one half of the catalogue.

    Columns ``user_id``, ``title``, ``event``, ``value``; each game has an owner.
    """
    rng = np.random.default_rng(seed)
    titles = game_titles()
    rows = []
    for player in range(players):
        weights = np.where(np.arange(len(titles)) % 2 == player % 2, 8.0, 1.0)
        weights /= np.arange(3, len(titles) + 3)
        count = int(rng.integers(6, 13))
        chosen = rng.choice(len(titles), size=count, replace=False, p=weights / weights.sum())
        for game in {*chosen.tolist(), player % len(titles)}:
            rows.append((f"player-{player}", titles[game], "purchase", 1.0))
            if rng.random() < 0.5:
                rows.append((f"player-{player}", titles[game], "play", float(rng.integers(1, 99))))
    return pl.DataFrame(rows, schema=["user_id", "title", "event", "value"], orient="row")


def as_tables(frame: pl.DataFrame, catalogue: pl.DataFrame | None = None) -> Tables:
    """The tables of a dataset with these rows of players."""
    tables = {"interactions": frame}
    return tables if catalogue is None else {**tables, "catalogue": catalogue}


def packaged(
    model: type[Recommender],
    directory: Path,
    frame: pl.DataFrame,
    catalogue: pl.DataFrame | None = None,
) -> GamesServable:
    """The rows, prepared, fitted with the model's defaults, packaged and opened."""
    from flyball.games.application import GamesApplication

    application: Any = GamesApplication()
    tables = as_tables(frame, catalogue)
    prepared = application.prepare(tables, seed=7)
    fitted = model.fit(prepared.final.train, model.Config())
    application.package(fitted, prepared, tables, directory)
    servable: GamesServable = application.open(directory)
    return servable


@dataclass
class OneVersionHost:
    """A ``Host`` that serves one version to everybody and keeps events in memory.

    Attributes:
        servable: what answers; None while nothing is loaded.
        counted: (endpoint, status) of each answer counted.
        events: by id.
        failing: raised by ``accept`` where set, as a full disk would.
        pseudonyms: where set, the data knows players by them.
        in_force: the business rules, as the application read them.
        answers: gives ids.
        tired: users for whom there were too many requests.
        lists: (recommendation_id, user, item ids, filtered) of each list shown.
        other: what answers where ``servable`` fails, and ``theirs``; None: nothing.
        watch: how a rollout is watched, where one is under way.
        theirs: users of ``other`` then.
        drawn: (version, status, units) of each count of answers then.
        work: versions in the order in which they were worked with; "" for none.
        fallbacks: (version that failed, what stood in) of each answer that had to.
        exploration: see ``ports.Host``.
        propensities: of the items of each list shown; None where chance had no part.
    """

    servable: GamesServable | None
    model: str = "games"
    counted: list[tuple[str, int]] = field(default_factory=list)
    events: dict[str, Event] = field(default_factory=dict)
    failing: FlyballError | None = None
    pseudonyms: Pseudonyms | None = None
    in_force: Any = None
    tired: frozenset[str] = frozenset()
    answers: Answers = field(default_factory=lambda: Answers(b"a key of the tests"))
    lists: list[tuple[str, str | None, Sequence[str], bool]] = field(default_factory=list)
    other: GamesServable | None = None
    fallbacks: list[tuple[str, str]] = field(default_factory=list)
    watch: Watch | None = None
    theirs: frozenset[str] = frozenset()
    drawn: list[tuple[str, int, tuple[int, ...]]] = field(default_factory=list)
    work: list[str] = field(default_factory=list)
    exploration: float = 0.0
    propensities: list[Sequence[float] | None] = field(default_factory=list)

    def pseudonym(self, user: str) -> str:
        """The user themselves, unless there are pseudonyms."""
        return user if self.pseudonyms is None else self.pseudonyms.of(user)

    def limit(self, caller: Caller, user: str) -> None:
        """Refuse a request that names one of ``tired``."""
        if user in self.tired:
            raise TooManyRequests(f"too many for {user}", subject=caller.subject)

    def choose(self, user: str | None) -> Choice:
        """The one version, unless a rollout is watched and the user is one of ``theirs``."""
        champion = self.champion()
        if self.watch is None:
            return champion
        unit = os.urandom(8).hex() if user is None else user
        chosen = self._challenger() if user in self.theirs else champion
        return chosen.drawn_for((draw(unit, self.watch.salt).tag,))

    def champion(self) -> Choice:
        """The one version."""
        if self.servable is None:
            raise NotFound("no version of games is loaded yet")
        return Choice(
            servable=self.servable, version=VERSION, variant=Variant.CHAMPION, watch=self.watch
        )

    def beside(self, choice: Choice) -> Choice | None:
        """``other``, as version ``OTHER``; for that, the one version while a rollout is watched."""
        if self.other is None:
            return None
        if choice.version == OTHER:
            return None if self.watch is None else self.champion()
        return self._challenger()

    def working(self, choice: Choice | None) -> None:
        """Note it."""
        self.work.append("" if choice is None else choice.version)

    def _challenger(self) -> Choice:
        return Choice(
            servable=self.other, version=OTHER, variant=Variant.CHALLENGER, watch=self.watch
        )

    def fell_back(self, choice: Choice, to: str) -> None:
        """Note it."""
        self.fallbacks.append((choice.version, to))

    def served(
        self, choice: Choice, endpoint: str, seconds: float, status: int, *, answers: int = 1
    ) -> None:
        """Note the answers."""
        assert choice.version in (VERSION, OTHER)
        assert seconds >= 0.0
        self.counted += [(endpoint, status)] * answers
        if self.watch is not None:
            self.drawn.append((choice.version, status, choice.units))

    def shown(
        self,
        choice: Choice,
        recommendation_id: str,
        at_ms: int,
        user: str | None,
        items: Sequence[str],
        *,
        k: int,
        propensities: Sequence[float] | None = None,
        filtered: bool = False,
        fallback: str = "",
        trace: str = "",
    ) -> None:
        """Note the list."""
        assert (choice.version in (VERSION, OTHER), trace) == (True, "")
        assert bool(fallback) == bool(self.fallbacks)
        assert (at_ms > 0, len(items) <= k) == (True, True)
        self.lists.append((recommendation_id, user, items, filtered))
        self.propensities.append(propensities)

    async def accept(self, events: Sequence[Event]) -> list[bool]:
        """Keep those whose id is new."""
        if self.failing is not None:
            raise self.failing
        new = []
        for event in events:
            new.append(event.event_id not in self.events)
            self.events.setdefault(event.event_id, event)
        return new

    def rules(self) -> Any:
        """The rules in force."""
        return self.in_force

    def overlay(self, user: str) -> Mapping[str, frozenset[str]]:
        """The user's events by type."""
        found: dict[str, frozenset[str]] = {}
        for event in self.events.values():
            if event.user_id == user:
                kind = str(event.type)
                found[kind] = found.get(kind, frozenset()) | {event.item_id}
        return found


def a_purchase(number: int = 1, **fields: Any) -> dict[str, Any]:
    """An event as ``POST /v1/events`` takes it, any field overridden."""
    return {
        "event_id": f"event-{number}",
        "type": "purchase",
        "user_id": "player-3",
        "game_id": "metroid",
        **fields,
    }


def is_a_problem(answer: httpx.Response, status: int) -> str:
    """Assert that an answer is a problem document (RFC 9457) with this status; its detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance"} <= set(body)
    return str(body["detail"])
