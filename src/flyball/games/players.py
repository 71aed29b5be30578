"""Simulated players who use a live server: they look, click, buy and play by their hidden tastes.

``python -m flyball.games.players --url http://127.0.0.1:8000`` sends them until SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from uuid import uuid4

import httpx
import numpy as np
import structlog

from flyball.configuration import KEY
from flyball.errors import FlyballError, InvalidRequest
from flyball.games.storefront import Event, Misunderstood, Refused, Storefront, event
from flyball.games.world import World

LIST_LENGTH = 10
NEWCOMERS = 0.1
"""Share of sessions by players of whom the training data knows nothing."""
RETURNING = 0.5
"""Share of the newcomers' sessions that are by one who came before."""
REMEMBERED = 500
"""How many of the last newcomers may come back."""
AT_ONCE = 32
"""Most sessions at one time: who comes while a slow server holds them all is turned away."""
PATIENCE = 2.0
"""Seconds that running sessions get to end once asked to stop."""
REPORT_EVERY = 60.0
"""Seconds between two lines of the log."""

_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0


@dataclass(slots=True)
class Tally:
    """What has happened so far.

    Attributes:
        sessions: went as they should: a list was shown and the events were sent.
        refused: the server was away, overloaded or too slow.
        failed: the server said the request was wrong, or its answer made no sense.
        turned_away: came while ``AT_ONCE`` sessions ran.
        impressions, clicks, purchases, plays: events the server took.
        rejected: events the server did not take.
    """

    sessions: int = 0
    refused: int = 0
    failed: int = 0
    turned_away: int = 0
    impressions: int = 0
    clicks: int = 0
    purchases: int = 0
    plays: int = 0
    rejected: int = 0

    def count(self, sent: Sequence[Event], taken: Sequence[Event]) -> None:
        """Add events that were sent, and of these the ones the server took."""
        kinds = [each["type"] for each in taken]
        self.impressions += kinds.count("impression")
        self.clicks += kinds.count("click")
        self.purchases += kinds.count("purchase")
        self.plays += kinds.count("play")
        self.rejected += len(sent) - len(taken)


@dataclass(slots=True)
class Crowd:
    """Who comes by, and what they own by now."""

    world: World
    _bought: dict[str, set[str]] = field(default_factory=dict)
    _newcomers: list[str] = field(default_factory=list)

    def next(self, rng: np.random.Generator) -> str:
        """The next player's id."""
        if rng.random() >= NEWCOMERS:
            return self.world.pick(rng)
        if self._newcomers and rng.random() < RETURNING:
            return self._newcomers[int(rng.integers(len(self._newcomers)))]
        # not from the seed: a restart with the same seed must bring new people, not the old again
        newcomer = f"newcomer-{uuid4().hex[:12]}"
        self._newcomers.append(newcomer)
        if len(self._newcomers) > REMEMBERED:
            self._bought.pop(self._newcomers.pop(0), None)
        return newcomer

    def buy(self, user_id: str, games: Sequence[str]) -> list[str]:
        """Those of the games that the player did not own yet; from now on they own them."""
        bought = self._bought.setdefault(user_id, set())
        new = [game for game in games if game not in bought | self.world.owned(user_id)]
        bought.update(new)
        return new


async def play(
    url: str,
    world: World,
    *,
    rate: float,
    seed: int,
    stop: asyncio.Event,
    sessions: int | None = None,
    tally: Tally | None = None,
    key: str = "",
) -> Tally:
    """Send players to a server until ``stop`` is set or ``sessions`` of them have come.

    While the server is away nobody comes: its ``/health/ready`` is asked again and again, less and
    less often, but every 5 s or so.

    Args:
        url: the inference server, for example ``http://127.0.0.1:8000``.
        world: who the players are.
        rate: sessions a second on average, above 0; arrivals are a Poisson process.
        seed: of who comes and what they do. Event ids and newcomers are new in every run.
        stop: ends the play within ``PATIENCE`` seconds.
        sessions: how many arrivals at most; None for no end.
        tally: counts go here, for one who wants to watch; a new one by default.
        key: an API key, where the server asks for one.

    Raises:
        InvalidRequest: ``rate`` is not above 0, or ``url`` is not one.
    """
    if not rate > 0:
        raise InvalidRequest(f"rate {rate} must be above 0 sessions a second, for example 8")
    if not url.startswith(("http://", "https://")):
        raise InvalidRequest(f"url {url!r} must begin with http:// or https://")
    counts = Tally() if tally is None else tally
    # trust_env off: a proxy set for the outside world must not stand before the local server
    shown = {"x-api-key": key} if key else {}
    async with httpx.AsyncClient(
        base_url=url, timeout=10.0, trust_env=False, headers=shown
    ) as client:
        visits = _Visits(Storefront(client), Crowd(world), seed=seed, tally=counts)
        await visits.run(rate=rate, stop=stop, sessions=sessions)
    return counts


class _Visits:
    """All sessions of one call of ``play``."""

    def __init__(self, store: Storefront, crowd: Crowd, *, seed: int, tally: Tally) -> None:
        self._store = store
        self._crowd = crowd
        self._seed = seed
        self._tally = tally
        self._away = True
        self._running = 0

    async def run(self, *, rate: float, stop: asyncio.Event, sessions: int | None) -> None:
        with contextlib.suppress(TimeoutError):  # of the limit: the last sessions were too slow
            async with asyncio.timeout(None) as limit:
                hurry = asyncio.create_task(_limit_after(stop, limit))
                try:
                    async with asyncio.TaskGroup() as group:
                        await self._arrivals(group, rate=rate, stop=stop, sessions=sessions)
                finally:
                    hurry.cancel()

    async def _arrivals(
        self, group: asyncio.TaskGroup, *, rate: float, stop: asyncio.Event, sessions: int | None
    ) -> None:
        rng = np.random.default_rng([self._seed, 0])
        arrived = 0
        while not stop.is_set() and (sessions is None or arrived < sessions):
            if self._away:
                await self._until_ready(stop, rng)
            elif not await _stopped(stop, within=rng.exponential(1.0 / rate)):
                arrived += 1
                # one generator a session: how sessions interleave does not change what they do
                self._arrive(group, np.random.default_rng([self._seed, arrived]))

    def _arrive(self, group: asyncio.TaskGroup, rng: np.random.Generator) -> None:
        if self._running >= AT_ONCE:
            self._tally.turned_away += 1
            return
        self._running += 1
        group.create_task(self._session(self._crowd.next(rng), rng))

    async def _until_ready(self, stop: asyncio.Event, rng: np.random.Generator) -> None:
        """Return once the server is ready or ``stop`` is set."""
        wait = _FIRST_WAIT
        while not stop.is_set():
            if await self._store.ready():
                self._away = False
                return
            await _stopped(stop, within=wait * rng.uniform(0.75, 1.25))
            wait = min(wait * 2.0, _LONGEST_WAIT)

    async def _session(self, user_id: str, rng: np.random.Generator) -> None:
        try:
            await self._look_and_buy(user_id, rng)
            self._tally.sessions += 1
        except Refused:
            self._tally.refused += 1
            self._away = True
        except Misunderstood as error:
            self._tally.failed += 1
            structlog.get_logger(__name__).warning("session failed", error=str(error))
        finally:
            self._running -= 1

    async def _look_and_buy(self, user_id: str, rng: np.random.Generator) -> None:
        """One player: look at a list, click, perhaps buy and play."""
        world = self._crowd.world
        by_get = bool(rng.random() < 0.5)
        answer, shown = await self._store.recommendations(user_id, k=LIST_LENGTH, by_get=by_get)
        await self._send([event("impression", user_id, game, answer) for game in shown])
        clicked = world.clicks(user_id, shown, rng)
        events = [event("click", user_id, game, answer) for game in clicked]
        for game in self._crowd.buy(user_id, world.buys(user_id, clicked, rng)):
            hours = world.hours(user_id, game, rng)
            events.append(event("purchase", user_id, game, answer, value=world.price(game)))
            events.append(event("play", user_id, game, answer, value=hours))
        await self._send(events)

    async def _send(self, events: Sequence[Event]) -> None:
        self._tally.count(events, await self._store.send(events))


async def _stopped(stop: asyncio.Event, *, within: float) -> bool:
    """True as soon as ``stop`` is set, False once ``within`` seconds have passed."""
    try:
        await asyncio.wait_for(stop.wait(), timeout=within)
    except TimeoutError:
        return False
    return True


async def _limit_after(stop: asyncio.Event, limit: asyncio.Timeout) -> None:
    """Once ``stop`` is set, let ``limit`` end in ``PATIENCE`` seconds."""
    await stop.wait()
    limit.reschedule(asyncio.get_running_loop().time() + PATIENCE)


async def _play_until_signalled(url: str, world: World, *, rate: float, seed: int) -> None:
    """Play until SIGTERM or SIGINT, with a line in the log every minute."""
    log = structlog.get_logger(__name__)
    stop, tally = asyncio.Event(), Tally()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log.info("players come", url=url, rate=rate, seed=seed)
    async with asyncio.TaskGroup() as group:
        key = os.environ.get(KEY, "")
        group.create_task(play(url, world, rate=rate, seed=seed, stop=stop, tally=tally, key=key))
        while not await _stopped(stop, within=REPORT_EVERY):
            log.info("players so far", **asdict(tally))
    log.info("players gone", **asdict(tally))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m flyball.games.players", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the inference server")
    parser.add_argument("--seed", type=int, default=7, help="of the world and of who comes")
    parser.add_argument("--rate", type=float, default=8.0, help="sessions a second on average")
    parser.add_argument("--players", type=int, default=2000, help="how many the world has")
    asked = parser.parse_args(arguments)
    code = 0
    try:
        world = World(asked.seed, asked.players)
        asyncio.run(_play_until_signalled(asked.url, world, rate=asked.rate, seed=asked.seed))
    except* FlyballError as group:
        errors = [str(error) for error in group.exceptions]
        structlog.get_logger(__name__).error("players cannot come", errors=errors)
        code = 2
    return code


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.exit(main())
