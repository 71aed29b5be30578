"""The HTTP API of the games application.

Handlers take the raw request and encode their own answer: what a request does not need is not
done. Each answer is counted for the version that gave it, errors included. Storing events is not
a version's work, so ``/v1/events`` is not counted for one: a full disk must not look like a bad
version.

A player's id becomes their pseudonym here, at the edge: models, events and routing know only that.
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from flyball.domain.traffic import Event, EventType, answer_id
from flyball.errors import FlyballError, InvalidRequest, NotFound
from flyball.games import openapi
from flyball.games.messages import (
    MAX_EVENTS,
    EventIn,
    EventsAnswer,
    GameAnswer,
    GamePath,
    GamesAnswer,
    GamesQuery,
    RecommendationQuery,
    RecommendationRequest,
    RecommendationsAnswer,
    Rejected,
    SimilarAnswer,
    SimilarQuery,
    UserPath,
)
from flyball.games.reading import body_of, read, read_texts
from flyball.games.servable import unknown_game

if TYPE_CHECKING:
    from flyball.games.catalogue import Game
    from flyball.games.servable import GamesServable
    from flyball.ports import Choice, Host

_REQUEST = msgspec.json.Decoder(RecommendationRequest)
_EVENT = msgspec.json.Decoder(EventIn)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER = msgspec.json.Encoder()

EVERYBODY = ""
"""The key for choosing a version where no player asks."""


def routes(host: Host) -> APIRouter:
    """The router; ``host`` chooses versions, counts answers and stores events."""
    router = APIRouter(default_response_class=Response, tags=["games"])
    api = GamesApi(host)
    for method, path, handler, described in (
        ("POST", "/v1/recommendations", api.recommend, openapi.recommend()),
        # ":path": a player's id may hold a slash
        ("GET", "/v1/recommendations/{user_id:path}", api.recommend_to, openapi.recommend_to()),
        ("POST", "/v1/events", api.events, openapi.events()),
        ("GET", "/v1/games", api.games, openapi.games()),
        ("GET", "/v1/games/{game_id}", api.game, openapi.game()),
        ("GET", "/v1/games/{game_id}/similar", api.similar, openapi.similar()),
    ):
        router.add_api_route(
            path, handler, methods=[method], response_model=None, openapi_extra=described
        )
    return router


class GamesApi:
    """The handlers. Stateless: everything is asked of the host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def recommend(self, request: Request) -> Response:
        """Recommend games to a player, or to whoever has a history of games.

        Never a game that the player has, dislikes or filters out. A list shorter than `k` says
        `underfilled`. A player never seen gets the popular games.
        """
        with _Answering(self._host, "/v1/recommendations") as answering:
            asked = read(_REQUEST, await body_of(request))
            return self._recommended(answering, asked)

    async def recommend_to(self, request: Request) -> Response:
        """Recommend games to a player."""
        with _Answering(self._host, "/v1/recommendations/{user_id}") as answering:
            user_id = read_texts(UserPath, request.path_params).user_id
            k = read_texts(RecommendationQuery, dict(request.query_params)).k
            return self._recommended(answering, RecommendationRequest(user_id=user_id, k=k))

    async def similar(self, request: Request) -> Response:
        """Games that players of one game like, the likest first."""
        with _Answering(self._host, "/v1/games/{game_id}/similar") as answering:
            game_id = read_texts(GamePath, request.path_params).game_id
            k = read_texts(SimilarQuery, dict(request.query_params)).k
            choice = answering.by(game_id)
            servable: GamesServable = choice.servable
            found = servable.similar(game_id, k)
            answer = SimilarAnswer(
                game_id=game_id,
                model=self._host.model,
                model_version=choice.version,
                variant=choice.variant.value,
                items=list(found),
                underfilled=len(found) < k,
            )
            return _respond(answer, choice)

    async def games(self, request: Request) -> Response:
        """Search the catalogue; pages by rising game id."""
        with _Answering(self._host, "/v1/games") as answering:
            asked = read_texts(GamesQuery, dict(request.query_params))
            choice = answering.by(EVERYBODY)
            servable: GamesServable = choice.servable
            page, following = servable.catalogue.find(
                title=asked.title or None,
                genre=asked.genre or None,
                platform=asked.platform or None,
                limit=asked.limit,
                after=asked.cursor or None,
            )
            return _respond(GamesAnswer([_on_wire(game) for game in page], following), choice)

    async def game(self, request: Request) -> Response:
        """What is known of one game."""
        with _Answering(self._host, "/v1/games/{game_id}") as answering:
            game_id = read_texts(GamePath, request.path_params).game_id
            choice = answering.by(EVERYBODY)
            servable: GamesServable = choice.servable
            found = servable.catalogue.get(game_id)
            if found is None:
                raise unknown_game(game_id)
            return _respond(_on_wire(found), choice)

    async def events(self, request: Request) -> Response:
        """Store what players did: 1 to 1000 events; answered when they are on disk.

        Each event is judged by itself: those that cannot be read are listed in `rejected`, the
        others are stored. A game the model does not know is fine: it may be newer than the model.
        """
        sent = read(_ARRAY, await body_of(request))
        if not 1 <= len(sent) <= MAX_EVENTS:
            raise InvalidRequest(
                f"{len(sent)} events were sent; send an array of 1 to {MAX_EVENTS} events"
            )
        good, rejected = self._readable(sent)
        new = await self._host.accept(good) if good else []
        answer = EventsAnswer(accepted=sum(new), duplicates=len(new) - sum(new), rejected=rejected)
        return Response(_ENCODER.encode(answer), media_type="application/json")

    def _readable(self, sent: list[msgspec.Raw]) -> tuple[list[Event], list[Rejected]]:
        received = datetime.now(UTC)
        good: list[Event] = []
        rejected: list[Rejected] = []
        for index, raw in enumerate(sent):
            try:
                good.append(_event(read(_EVENT, raw), self._host, received))
            except InvalidRequest as error:
                rejected.append(Rejected(index, str(error)))
        return good, rejected

    def _recommended(self, answering: _Answering, asked: RecommendationRequest) -> Response:
        nonce = secrets.token_hex(10)
        # callers without a name are spread over the variants, as named ones are
        user = None if asked.user_id is None else self._host.pseudonym(asked.user_id)
        choice = answering.by(nonce if user is None else user)
        servable: GamesServable = choice.servable
        overlay = {} if user is None else self._host.overlay(user)
        found = servable.recommend(
            user,
            asked.history,
            asked.k,
            asked.filters,
            min_score=asked.min_score,
            overlay=overlay,
        )
        answer = RecommendationsAnswer(
            recommendation_id=answer_id(choice.version, nonce),
            model=self._host.model,
            model_version=choice.version,
            variant=choice.variant.value,
            items=list(found.items),
            underfilled=found.underfilled,
        )
        return _respond(answer, choice)


class _Answering:
    """Times one answer and counts it for the version that gave it, whatever came of it.

    A request that failed before a version was chosen counts for the one that answers everybody;
    where none is loaded there is none to count it for.
    """

    def __init__(self, host: Host, endpoint: str) -> None:
        self._host = host
        self._endpoint = endpoint
        self._choice: Choice | None = None

    def by(self, user: str) -> Choice:
        """The version that answers."""
        self._choice = self._host.choose(user)
        return self._choice

    def __enter__(self) -> _Answering:
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, ClientDisconnect) or not isinstance(error, Exception | None):
            return  # the caller went away: there is no answer to count
        try:
            choice = self._choice or self._host.choose(EVERYBODY)
        except NotFound:
            return
        seconds = time.perf_counter() - self._start
        self._host.served(choice, self._endpoint, seconds, _status(error))


def _status(error: Exception | None) -> int:
    """The HTTP status that an answer will have."""
    match error:
        case None:
            return 200
        case FlyballError():
            return error.status
        case HTTPException():  # of the server around us: a body that is too large
            return error.status_code
        case _:
            return 500


def _event(sent: EventIn, host: Host, received: datetime) -> Event:
    return Event(
        event_id=sent.event_id,
        model=host.model,
        type=EventType(sent.type),
        user_id=host.pseudonym(sent.user_id),
        item_id=sent.game_id,
        timestamp=sent.happened(received),
        received_at=received,
        recommendation_id=sent.recommendation_id or "",
        value=sent.value,
    )


def _on_wire(game: Game) -> GameAnswer:
    return GameAnswer(
        game_id=game.game_id,
        title=game.title,
        genres=list(game.genres),
        tags=list(game.tags),
        platforms=list(game.platforms),
        released=game.released,
        price_usd=game.price_usd,
        developer=game.developer,
    )


def _respond(answer: Any, choice: Choice) -> Response:
    return Response(
        _ENCODER.encode(answer),
        media_type="application/json",
        headers={"X-Flyball-Version": choice.version},
    )
