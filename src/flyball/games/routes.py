"""The HTTP API of the games application.

Handlers take the raw request and encode their own answer: what a request does not need is not
done. Each answer is counted for the version that gave it, errors included. Storing events is not
a version's work, so ``/v1/events`` is not counted for one: a full disk must not look like a bad
version.

A player's id becomes their pseudonym here, at the edge: models, events and routing know only that.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Request, Response

from flyball.domain.traffic import Event, EventType, answer_id
from flyball.errors import InvalidRequest
from flyball.games import openapi
from flyball.games.answering import NO_OVERLAY, Wishes
from flyball.games.counted import EVERYBODY, Answering
from flyball.games.messages import (
    LISTS,
    MAX_EVENTS,
    EventIn,
    GamePath,
    GamesQuery,
    RecommendationQuery,
    RecommendationRequest,
    SearchQuery,
    SimilarQuery,
    UserPath,
    WhyNotPath,
)
from flyball.games.reading import body_of, read, read_texts, several
from flyball.games.replies import (
    EventsAnswer,
    GameAnswer,
    GamesAnswer,
    RecommendationsAnswer,
    Rejected,
    SearchAnswer,
    SimilarAnswer,
    WhyNotAnswer,
)
from flyball.games.servable import unknown_game

if TYPE_CHECKING:
    from flyball.games.catalogue import Game
    from flyball.games.servable import GamesServable
    from flyball.ports import Choice, Host

_REQUEST = msgspec.json.Decoder(RecommendationRequest)
_EVENT = msgspec.json.Decoder(EventIn)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


def routes(host: Host) -> APIRouter:
    """The router; ``host`` chooses versions, counts answers and stores events."""
    router = APIRouter(default_response_class=Response, tags=["games"])
    api = GamesApi(host)
    for method, path, handler, described in (
        ("POST", "/v1/recommendations", api.recommend, openapi.recommend()),
        # ":path": a player's id may hold a slash
        ("GET", "/v1/recommendations/{user_id:path}", api.recommend_to, openapi.recommend_to()),
        # a game's id holds none, so the last part is the game
        (
            "GET",
            "/v1/why-not/{user_id:path}/{game_id}",
            api.why_not,
            openapi.why_not(),
        ),
        ("GET", "/v1/search", api.search, openapi.search()),
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
        with Answering(self._host, "/v1/recommendations") as answering:
            asked = read(_REQUEST, await body_of(request))
            return self._recommended(answering, asked)

    async def recommend_to(self, request: Request) -> Response:
        """Recommend games to a player. The filters are those of the request by POST."""
        with Answering(self._host, "/v1/recommendations/{user_id}") as answering:
            user_id = read_texts(UserPath, request.path_params).user_id
            asked = read_texts(RecommendationQuery, several(request.query_params, LISTS))
            whole = RecommendationRequest(
                user_id=user_id,
                k=asked.k,
                filters=asked,
                min_score=asked.min_score,
                diversity=asked.diversity,
            )
            return self._recommended(answering, whole)

    async def why_not(self, request: Request) -> Response:
        """Why a game is in a player's list or why not; by the code that makes the list.

        Ask with the filters, `k` and bounds of the list in question.
        """
        with Answering(self._host, "/v1/why-not/{user_id}/{game_id}") as answering:
            path = read_texts(WhyNotPath, request.path_params)
            asked = read_texts(RecommendationQuery, several(request.query_params, LISTS))
            user = self._host.pseudonym(path.user_id)
            choice = answering.by(user)
            servable: GamesServable = choice.servable
            wishes = self._wishes(user, asked)
            fate = servable.why_not(user, path.game_id, (), asked.k, asked, **wishes)
            answer = WhyNotAnswer(
                user_id=path.user_id,
                game_id=path.game_id,
                model=self._host.model,
                model_version=choice.version,
                variant=choice.variant.value,
                verdict=fate.verdict,
                detail=fate.detail,
                rank=fate.rank,
                score=fate.score,
                reasons=fate.reasons,
                rest=fate.rest,
                exact=fate.exact,
            )
            return _respond(answer, choice)

    async def similar(self, request: Request) -> Response:
        """Games that players of one game like, or that are described alike; the likest first."""
        with Answering(self._host, "/v1/games/{game_id}/similar") as answering:
            game_id = read_texts(GamePath, request.path_params).game_id
            asked = read_texts(SimilarQuery, dict(request.query_params))
            choice = answering.by(game_id)
            servable: GamesServable = choice.servable
            found = servable.similar(game_id, asked.k, asked.content, self._host.rules())
            answer = SimilarAnswer(
                game_id=game_id,
                model=self._host.model,
                model_version=choice.version,
                variant=choice.variant.value,
                items=list(found),
                underfilled=len(found) < asked.k,
            )
            return _respond(answer, choice)

    async def search(self, request: Request) -> Response:
        """Find games by what somebody typed: typos, accents, unfinished words and initials do.

        A game with such a title comes before one that is only described so.
        """
        with Answering(self._host, "/v1/search") as answering:
            asked = read_texts(SearchQuery, dict(request.query_params))
            choice = answering.by(EVERYBODY)
            servable: GamesServable = choice.servable
            return _respond(SearchAnswer(list(servable.search(asked.q, asked.k))), choice)

    async def games(self, request: Request) -> Response:
        """Search the catalogue; pages by rising game id."""
        with Answering(self._host, "/v1/games") as answering:
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
        with Answering(self._host, "/v1/games/{game_id}") as answering:
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

    def _recommended(self, answering: Answering, asked: RecommendationRequest) -> Response:
        nonce = secrets.token_hex(10)
        # callers without a name are spread over the variants, as named ones are
        user = None if asked.user_id is None else self._host.pseudonym(asked.user_id)
        choice = answering.by(nonce if user is None else user)
        servable: GamesServable = choice.servable
        wishes = self._wishes(user, asked)
        found = servable.recommend(user, asked.history, asked.k, asked.filters, **wishes)
        answer = RecommendationsAnswer(
            recommendation_id=answer_id(choice.version, nonce),
            model=self._host.model,
            model_version=choice.version,
            variant=choice.variant.value,
            items=list(found.items),
            underfilled=found.underfilled,
        )
        return _respond(answer, choice)

    def _wishes(
        self, user: str | None, asked: RecommendationRequest | RecommendationQuery
    ) -> Wishes:
        return Wishes(
            min_score=asked.min_score,
            diversity=asked.diversity,
            overlay=NO_OVERLAY if user is None else self._host.overlay(user),
            rules=self._host.rules(),
            now=datetime.now(UTC),
        )


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
        publisher=game.publisher,
        age_rating=game.age_rating,
    )


def _respond(answer: Any, choice: Choice) -> Response:
    return Response(
        _ENCODER.encode(answer),
        media_type="application/json",
        headers={"X-Flyball-Version": choice.version},
    )
