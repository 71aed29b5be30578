"""Every call of the API: what is asked, and what is made of the answer.

These are the methods of ``Client`` and ``AsyncClient`` (see ``methods``), with their signatures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from flyball.client.effects import Ask, Plan
from flyball.client.errors import ClientError
from flyball.client.event_ids import new_event_id
from flyball.client.judging import decoded
from flyball.client.types import (
    Event,
    Filters,
    Found,
    Game,
    GamesPage,
    Inferred,
    Recommendations,
    RecommendationsOfMany,
    Rejected,
    Sent,
    Similar,
    TensorIn,
    WhyNot,
)
from flyball.errors import InvalidRequest

AT_ONCE = 1000
"""Events, or players, of one request."""

_NOT_READY = 503
_ENCODER = msgspec.json.Encoder()
T = TypeVar("T")


def recommend(
    user_id: str | None = None,
    *,
    history: Sequence[str] = (),
    k: int = 10,
    filters: Filters | None = None,
    min_score: float | None = None,
    diversity: float | None = None,
    context: Mapping[str, Any] | None = None,
) -> Plan[Recommendations]:
    """The best games for a player, or for whoever has a history of games.

    Args:
        user_id: the player; one never seen gets the popular games.
        history: games that they have, beside those on record.
        k: how many at most, 1 to 100.
        filters: what the answer may hold.
        min_score: the least probability that will do, in [0, 1].
        diversity: 0: the likeliest games; 1: games as unlike each other as there are.
        context: notes of the caller, flat.
    """
    answer = yield _posted(
        "/v1/recommendations",
        user_id=user_id,
        history=list(history) or None,
        k=k,
        filters=filters,
        min_score=min_score,
        diversity=diversity,
        context=context,
    )
    return decoded(answer, Recommendations)


def recommend_many(
    user_ids: Iterable[str],
    *,
    k: int = 10,
    filters: Filters | None = None,
    min_score: float | None = None,
    diversity: float | None = None,
) -> Plan[list[Recommendations]]:
    """The best games for each of many players, in their order; a thousand in one request."""
    items: list[Recommendations] = []
    for some in _batches(list(user_ids)):
        answer = yield _posted(
            "/v1/recommendations/batch",
            user_ids=some,
            k=k,
            filters=filters,
            min_score=min_score,
            diversity=diversity,
        )
        items += decoded(answer, RecommendationsOfMany).items
    return items


def similar(game_id: str, *, k: int = 10, content: float = 0.0) -> Plan[Similar]:
    """Games like one game, the likest first.

    Args:
        content: 0: alike is what the same players have; 1: what is described alike.
    """
    query = {"k": k, "content": content}
    answer = yield Ask(method="GET", path=f"/v1/games/{_part(game_id)}/similar", query=query)
    return decoded(answer, Similar)


def search(text: str, *, k: int = 10) -> Plan[Found]:
    """Games that fit what somebody typed, the best first."""
    answer = yield Ask(method="GET", path="/v1/search", query={"q": text, "k": k})
    return decoded(answer, Found)


def games_page(
    *,
    title: str = "",
    genre: str = "",
    platform: str = "",
    limit: int = 200,
    cursor: str | None = None,
) -> Plan[GamesPage]:
    """One page of the catalogue, by rising game id.

    Args:
        title: part of it, in any case.
        genre, platform: exactly one of the game's.
        limit: games on a page, 1 to 200.
        cursor: the ``next_cursor`` of the page before; None for the first.
    """
    asked = {"title": title, "genre": genre, "platform": platform, "cursor": cursor}
    query = {name: value for name, value in asked.items() if value}
    answer = yield Ask(method="GET", path="/v1/games", query={**query, "limit": limit})
    return decoded(answer, GamesPage)


def game(game_id: str) -> Plan[Game]:
    """What is known of one game."""
    answer = yield Ask(method="GET", path=f"/v1/games/{_part(game_id)}")
    return decoded(answer, Game)


def why_not(
    user_id: str,
    game_id: str,
    *,
    k: int = 10,
    filters: Filters | None = None,
    min_score: float | None = None,
    diversity: float | None = None,
) -> Plan[WhyNot]:
    """Why a game is in a player's list or why not, were the list asked for with these wishes."""
    wishes = {"k": k, "min_score": min_score, "diversity": diversity}
    given = {name: value for name, value in wishes.items() if value is not None}
    filtered = {} if filters is None else msgspec.to_builtins(filters)
    path = f"/v1/why-not/{_part(user_id)}/{_part(game_id)}"
    answer = yield Ask(method="GET", path=path, query={**filtered, **given})
    return decoded(answer, WhyNot)


def send(events: Iterable[Event | Mapping[str, Any]]) -> Plan[Sent]:
    """Store what players did; returns when it is on disk.

    Events without an id get one before the first attempt, so that further attempts store none
    twice. More than a thousand go in several requests. Should the call fail, ``error.unsent`` holds
    the events of which nobody knows whether they were stored: send exactly these again.

    Returns:
        counts of all, and the events that were refused, by their place among ``events``.
    """
    named = with_ids(events)
    accepted = duplicates = 0
    rejected: list[Rejected] = []
    for start in range(0, len(named), AT_ONCE):
        try:
            answer = yield _told(named[start : start + AT_ONCE])
            sent = decoded(answer, Sent)
        except ClientError as error:
            error.unsent = tuple(named[start:])
            raise
        accepted, duplicates = accepted + sent.accepted, duplicates + sent.duplicates
        rejected += [Rejected(start + each.index, each.detail) for each in sent.rejected]
    return Sent(accepted, duplicates, rejected)


def health() -> Plan[dict[str, Any]]:
    """Versions, slots, worker, uptime and dependencies, as the server tells them."""
    answer = yield Ask(method="GET", path="/health")
    return decoded(answer, dict[str, Any])


def ready() -> Plan[bool]:
    """Whether the server can be reached and can answer. Asks once."""
    ask = Ask(method="GET", path="/health/ready", again=False, also=frozenset({_NOT_READY}))
    try:
        answer = yield ask
    except ClientError:
        return False
    return answer.status != _NOT_READY


def infer(
    model: str,
    inputs: Sequence[TensorIn],
    *,
    version: str | None = None,
    outputs: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    id: str | None = None,
) -> Plan[Inferred]:
    """Ask a model for tensors (Open Inference Protocol v2).

    Args:
        version: that answers; None: whichever the routes say.
        outputs: names of those wanted; none: all.
        parameters: of the request.
        id: comes back with the answer.
    """
    at = "" if version is None else f"/versions/{_part(version)}"
    answer = yield _posted(
        f"/v2/models/{_part(model)}{at}/infer",
        inputs=list(inputs),
        outputs=[{"name": name} for name in outputs] or None,
        parameters=parameters,
        id=id,
    )
    return decoded(answer, Inferred)


def with_ids(events: Iterable[Event | Mapping[str, Any]]) -> list[Event]:
    """The events, each with an id.

    Raises:
        InvalidRequest: one is neither an ``Event`` nor a mapping with an event's fields.
    """
    return [
        event if event.event_id else msgspec.structs.replace(event, event_id=new_event_id())
        for event in _as_events(events)
    ]


def _as_events(events: Iterable[Event | Mapping[str, Any]]) -> Iterator[Event]:
    known = set(Event.__struct_fields__)
    for index, event in enumerate(events):
        if isinstance(event, Event):
            yield event
            continue
        if unknown := set(event) - known:
            raise InvalidRequest(f"event {index} has unknown fields {sorted(unknown)}")
        try:
            yield msgspec.convert(event, Event)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"event {index}: {error}") from error


def _posted(path: str, **fields: Any) -> Ask:
    """A question with a body of those fields that are given."""
    given = {name: value for name, value in fields.items() if value is not None}
    return Ask(method="POST", path=path, body=_encoded(given))


def _told(events: Sequence[Event]) -> Ask:
    return Ask(method="POST", path="/v1/events", body=_encoded(events))


def _encoded(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequest(f"the request cannot be written as JSON: {error}") from error


def _part(text: str) -> str:
    """Text as one part of a path."""
    return quote(text, safe="")


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
