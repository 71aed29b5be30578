"""The HTTP API of the games application.

They are plain endpoints: what a request does not need is not done. Each answer is counted for the
version that gave it, errors included. Storing events is not a version's work, so ``/v1/events`` is
not counted for one: a full disk must not look like a bad version.

A player's id becomes their pseudonym here, at the edge: models, events and routing know only that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter

from flyball.domain.access import Scope
from flyball.domain.traffic import Event, EventType
from flyball.errors import InvalidRequest
from flyball.exchange import Call, Endpoint, Reply, add
from flyball.games import openapi
from flyball.games.batch import ENDPOINT, Batch
from flyball.games.counted import Answering, end_together, too_late
from flyball.games.lists import Ask, Lists, reply, wishes
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
from flyball.games.reading import read, read_texts
from flyball.games.replies import (
    EventsAnswer,
    GameAnswer,
    GamesAnswer,
    Rejected,
    SearchAnswer,
    SimilarAnswer,
    WhyNotAnswer,
)
from flyball.games.servable import unknown_game

if TYPE_CHECKING:
    from flyball.games.catalogue import Game
    from flyball.games.servable import GamesServable
    from flyball.ports import Host

_REQUEST = msgspec.json.Decoder(RecommendationRequest)
_EVENT = msgspec.json.Decoder(EventIn)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


def routes(host: Host) -> APIRouter:
    """The router; ``host`` chooses versions, counts answers and stores events."""
    router = APIRouter(tags=["games"])
    lists = Lists(host)
    api, batch = GamesApi(host, lists), Batch(host, lists)
    asking, telling = Scope.READ, Scope.EVENTS
    recommend = Endpoint(
        method="POST",
        path="/v1/recommendations",
        handler=api.recommend,
        scope=asking,
        described=openapi.recommend(),
        together=api.recommend_together,
    )
    add(router, recommend)
    for method, path, handler, scope, described in (
        ("POST", ENDPOINT, batch.recommend_many, asking, openapi.recommend_many()),
        # ":path": a player's id may hold a slash
        (
            "GET",
            "/v1/recommendations/{user_id:path}",
            api.recommend_to,
            asking,
            openapi.recommend_to(),
        ),
        # a game's id holds none, so the last part is the game
        ("GET", "/v1/why-not/{user_id:path}/{game_id}", api.why_not, asking, openapi.why_not()),
        ("GET", "/v1/search", api.search, asking, openapi.search()),
        ("POST", "/v1/events", api.events, telling, openapi.events()),
        ("GET", "/v1/games", api.games, asking, openapi.games()),
        ("GET", "/v1/games/{game_id}", api.game, asking, openapi.game()),
        ("GET", "/v1/games/{game_id}/similar", api.similar, asking, openapi.similar()),
    ):
        add(
            router,
            Endpoint(method=method, path=path, handler=handler, scope=scope, described=described),
        )
    return router


class GamesApi:
    """The handlers. Stateless: everything is asked of the host."""

    def __init__(self, host: Host, lists: Lists) -> None:
        self._host, self._lists = host, lists

    async def recommend(self, call: Call) -> Reply:
        """Recommend games to a player, or to whoever has a history of games.

        Never a game that the player has, dislikes or filters out. A list shorter than `k` says
        `underfilled`. A player never seen gets the popular games.
        """
        [found] = self.recommend_together([call])
        if isinstance(found, Exception):
            raise found
        return found

    def recommend_together(self, calls: Sequence[Call]) -> list[Reply | Exception]:
        """``recommend``, to several callers in one pass."""
        answerings = [Answering(self._host, "/v1/recommendations", c.deadline) for c in calls]
        read_or_not = [self._asked(*each) for each in zip(answerings, calls, strict=True)]
        found = iter(self._lists.together([ask for ask in read_or_not if isinstance(ask, Ask)]))
        replies = [next(found) if isinstance(ask, Ask) else ask for ask in read_or_not]
        for number, answering in enumerate(answerings):
            if answering.late() and isinstance(replies[number], Reply):
                replies[number] = too_late()
        end_together(self._host, answerings, replies)
        return replies

    def _asked(self, answering: Answering, call: Call) -> Ask | Exception:
        try:
            asked = read(_REQUEST, call.body)
            if asked.user_id is not None:
                self._host.limit(call.caller, asked.user_id)
        except Exception as error:  # noqa: BLE001 - it is this request's, and nobody else's
            return error
        return Ask(answering, asked, call.trace)

    async def recommend_to(self, call: Call) -> Reply:
        """Recommend games to a player. The filters are those of the request by POST."""
        with Answering(self._host, "/v1/recommendations/{user_id}", call.deadline) as answering:
            user_id = read_texts(UserPath, call.path).user_id
            self._host.limit(call.caller, user_id)
            asked = read_texts(RecommendationQuery, call.values(LISTS))
            whole = RecommendationRequest(
                user_id=user_id,
                k=asked.k,
                filters=asked,
                min_score=asked.min_score,
                diversity=asked.diversity,
            )
            return self._lists.recommended(Ask(answering, whole, call.trace))

    async def why_not(self, call: Call) -> Reply:
        """Why a game is in a player's list or why not; by the code that makes the list.

        Ask with the filters, `k` and bounds of the list in question.
        """
        with Answering(self._host, "/v1/why-not/{user_id}/{game_id}", call.deadline) as answering:
            path = read_texts(WhyNotPath, call.path)
            asked = read_texts(RecommendationQuery, call.values(LISTS))
            user = self._host.pseudonym(path.user_id)
            choice = answering.by(user)
            servable: GamesServable = choice.servable
            told = wishes(self._host, user, asked)
            fate = servable.why_not(user, path.game_id, (), asked.k, asked, **told)
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
            return reply(answer, choice)

    async def similar(self, call: Call) -> Reply:
        """Games that players of one game like, or that are described alike; the likest first."""
        with Answering(self._host, "/v1/games/{game_id}/similar", call.deadline) as answering:
            game_id = read_texts(GamePath, call.path).game_id
            asked = read_texts(SimilarQuery, call.values())
            choice = answering.by(None)
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
            return reply(answer, choice)

    async def search(self, call: Call) -> Reply:
        """Find games by what somebody typed: typos, accents, unfinished words and initials do.

        A game with such a title comes before one that is only described so.
        """
        with Answering(self._host, "/v1/search", call.deadline) as answering:
            asked = read_texts(SearchQuery, call.values())
            choice = answering.by(None)
            servable: GamesServable = choice.servable
            return reply(SearchAnswer(list(servable.search(asked.q, asked.k))), choice)

    async def games(self, call: Call) -> Reply:
        """Search the catalogue; pages by rising game id."""
        with Answering(self._host, "/v1/games", call.deadline) as answering:
            asked = read_texts(GamesQuery, call.values())
            choice = answering.by(None)
            servable: GamesServable = choice.servable
            page, following = servable.catalogue.find(
                title=asked.title or None,
                genre=asked.genre or None,
                platform=asked.platform or None,
                limit=asked.limit,
                after=asked.cursor or None,
            )
            return reply(
                GamesAnswer([_on_wire(game) for game in page], following), choice, tagged=True
            )

    async def game(self, call: Call) -> Reply:
        """What is known of one game."""
        with Answering(self._host, "/v1/games/{game_id}", call.deadline) as answering:
            game_id = read_texts(GamePath, call.path).game_id
            choice = answering.by(None)
            servable: GamesServable = choice.servable
            found = servable.catalogue.get(game_id)
            if found is None:
                raise unknown_game(game_id)
            return reply(_on_wire(found), choice, tagged=True)

    async def events(self, call: Call) -> Reply:
        """Store what players did: 1 to 1000 events; answered when they are on disk.

        Each event is judged by itself: those that cannot be read are listed in `rejected`, the
        others are stored. A game the model does not know is fine: it may be newer than the model.
        """
        sent = read(_ARRAY, call.body)
        if not 1 <= len(sent) <= MAX_EVENTS:
            raise InvalidRequest(
                f"{len(sent)} events were sent; send an array of 1 to {MAX_EVENTS} events"
            )
        good, rejected = self._readable(sent)
        new = await self._host.accept(good) if good else []
        answer = EventsAnswer(accepted=sum(new), duplicates=len(new) - sum(new), rejected=rejected)
        return Reply(_ENCODER.encode(answer))

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
