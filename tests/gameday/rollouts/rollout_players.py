"""Players who never stop asking, and what must hold for them after a fault."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from rollout_shop import HISTORIES, Shop, until


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
    until(lambda: players.statuses(settled)[200] >= 50, what=lambda: "answers")
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
