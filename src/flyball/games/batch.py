"""Recommendations for many players in one request.

Each is answered as a request of its own would be: by the version that is theirs, counted, logged.
What is long here is short for others: after every few milliseconds they have their turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from flyball.errors import DeadlinePassed, InvalidRequest
from flyball.exchange import Call, Reply
from flyball.games.counted import Answering
from flyball.games.messages import Diversity, Filters, Id, K, MinScore, RecommendationRequest
from flyball.games.reading import read
from flyball.games.replies import RecommendationsAnswer

if TYPE_CHECKING:
    from flyball.ports import Host

T = TypeVar("T")

MOST_PLAYERS = 1000
ENDPOINT = "/v1/recommendations/batch"

SLICE_S = 0.002
"""Seconds of work after which others have their turn."""

TURNS = 2
"""Of the event loop: in the first it reads what has arrived, in the second it answers."""

One: TypeAlias = Callable[[Answering, RecommendationRequest, str], Reply]
"""Answers one request, given its trace."""


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
        one: answers one request.
    """

    def __init__(self, host: Host, one: One) -> None:
        self._host, self._one = host, one

    async def recommend_many(self, call: Call) -> Reply:
        """Recommend games to up to 1000 players; the answers come in the order of `user_ids`.

        Each answer is what a request for this player alone would get: from the version that is
        theirs, with an id of its own.
        """
        asked = self._read(call)
        bodies = [
            self._answered(user_id, asked, call)
            async for user_id in in_turns(asked.user_ids, call.deadline)
        ]
        return Reply(b'{"items":[' + b",".join(bodies) + b"]}")

    def _read(self, call: Call) -> BatchRequest:
        try:
            return read(_REQUEST, call.body)
        except InvalidRequest:
            with Answering(self._host, ENDPOINT):
                raise  # counted once, as any request that cannot be read

    def _answered(self, user_id: str, asked: BatchRequest, call: Call) -> bytes:
        alone = RecommendationRequest(
            user_id=user_id,
            k=asked.k,
            filters=asked.filters,
            min_score=asked.min_score,
            diversity=asked.diversity,
        )
        with Answering(self._host, ENDPOINT) as answering:
            self._host.limit(call.caller, user_id)
            return self._one(answering, alone, call.trace).body


async def in_turns(items: Sequence[T], deadline: float) -> AsyncIterator[T]:
    """The items, each to be worked on at once; now and then other requests have their turn.

    Raises:
        DeadlinePassed: nobody waits for the rest any more.
    """
    turn_ends = time.monotonic() + SLICE_S
    for done, item in enumerate(items):
        if time.monotonic() >= turn_ends:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if time.monotonic() >= deadline:
                raise DeadlinePassed(
                    f"{done} of {len(items)} players were answered when the X-Request-Timeout was "
                    "over; ask for fewer at once, or allow more time"
                )
            turn_ends = time.monotonic() + SLICE_S
        yield item
