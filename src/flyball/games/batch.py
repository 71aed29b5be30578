"""Recommendations for many players in one request.

Each is answered as a request of its own would be: by the version that is theirs, counted, logged.
Some are answered in one pass, and what is long here is short for others: after every few
milliseconds they have their turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from flyball.errors import DeadlinePassed, InvalidRequest, TooManyRequests
from flyball.exchange import Call, Reply
from flyball.games.counted import Answering
from flyball.games.lists import Ask, Lists
from flyball.games.messages import Diversity, Filters, Id, K, MinScore, RecommendationRequest
from flyball.games.reading import read
from flyball.games.replies import RecommendationsAnswer

if TYPE_CHECKING:
    from flyball.domain.access import Caller
    from flyball.ports import Host

T = TypeVar("T")

MOST_PLAYERS = 1000
ENDPOINT = "/v1/recommendations/batch"

SLICE_S = 0.002
"""Seconds of work after which others have their turn."""

TURNS = 2
"""Of the event loop: in the first it reads what has arrived, in the second it answers."""

AT_ONCE = 8
"""Players answered in one pass: more save little, and keep others waiting for longer."""


class BatchRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """Whom to recommend games to, and what holds for all of them."""

    user_ids: Annotated[
        list[Id],
        Meta(
            min_length=1,
            max_length=MOST_PLAYERS,
            description="The players; the answers come in this order.",
        ),
    ]
    k: K = 10
    filters: Filters | None = None
    min_score: MinScore = None
    diversity: Diversity = None


class BatchAnswer(Struct, frozen=True):
    """One answer a player, in the order of the request."""

    items: list[RecommendationsAnswer]


_REQUEST = msgspec.json.Decoder(BatchRequest)


class Batch:
    """The handler.

    Args:
        host: chooses versions and counts.
        lists: answers.
    """

    def __init__(self, host: Host, lists: Lists) -> None:
        self._host, self._lists = host, lists

    async def recommend_many(self, call: Call) -> Reply:
        """Recommend games to up to 1000 players; the answers come in the order of `user_ids`.

        Each answer is what a request for this player alone would get: from the version that is
        theirs, with an id of its own.
        """
        asked = self._read(call)
        bodies: list[bytes] = []
        async for players in in_turns(asked.user_ids, call.deadline):
            asks = [self._ask(user_id, asked, call) for user_id in players]
            bodies += [answer.body for answer in counted(self._lists, asks)]
        return Reply(b'{"items":[' + b",".join(bodies) + b"]}")

    def _read(self, call: Call) -> BatchRequest:
        try:
            return read(_REQUEST, call.body)
        except InvalidRequest:
            with Answering(self._host, ENDPOINT):
                raise  # counted once, as any request that cannot be read

    def _ask(self, user_id: str, asked: BatchRequest, call: Call) -> Ask:
        alone = RecommendationRequest(
            user_id=user_id,
            k=asked.k,
            filters=asked.filters,
            min_score=asked.min_score,
            diversity=asked.diversity,
        )
        answering = Answering(self._host, ENDPOINT, call.deadline)
        limited(self._host, answering, call.caller, user_id)
        return Ask(answering, alone, call.trace)


def limited(host: Host, answering: Answering, caller: Caller, user_id: str) -> None:
    """Count a request that names a user; one too many is counted as an answer.

    Raises:
        TooManyRequests: it is.
    """
    try:
        host.limit(caller, user_id)
    except TooManyRequests as error:
        answering.end(error)
        raise


def counted(lists: Lists, asks: Sequence[Ask]) -> list[Reply]:
    """The answers, each counted.

    Raises:
        Exception: the first error, once all are counted.
    """
    found = lists.together(asks)
    errors = [each if isinstance(each, Exception) else None for each in found]
    for ask, error in zip(asks, errors, strict=True):
        ask.answering.end(error)
    for error in errors:
        if error is not None:
            raise error
    return [each for each in found if isinstance(each, Reply)]


async def in_turns(items: Sequence[T], deadline: float) -> AsyncIterator[Sequence[T]]:
    """The items, some at a time, each to be worked on at once; others have their turn between.

    Raises:
        DeadlinePassed: nobody waits for the rest any more.
    """
    turn_ends = time.monotonic() + SLICE_S
    for done in range(0, len(items), AT_ONCE):
        if time.monotonic() >= turn_ends:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            _check(deadline, done, len(items))
            turn_ends = time.monotonic() + SLICE_S
        yield items[done : done + AT_ONCE]
    _check(deadline, len(items), len(items))


def _check(deadline: float, done: int, players: int) -> None:
    if time.monotonic() >= deadline:
        raise DeadlinePassed(
            f"{done} of {players} players were answered when the X-Request-Timeout was over; ask "
            "for fewer at once, or allow more time"
        )
