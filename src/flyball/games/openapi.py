"""The API's documentation, made from the structs that decode and encode it.

Routes take the raw request, so FastAPI sees no parameters; these fragments are merged into its
OpenAPI 3.1 document (``openapi_extra``). Schemas are written out in place: a router cannot add
components to the application it will be part of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.games.batch import BatchAnswer, BatchRequest
from flyball.games.messages import (
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
from flyball.games.replies import (
    EventsAnswer,
    GameAnswer,
    GamesAnswer,
    RecommendationsAnswer,
    SearchAnswer,
    SimilarAnswer,
    WhyNotAnswer,
)

_PREFIX = "#/$defs/"
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
    },
}
BECAUSE = {
    "reasons": [
        {"game_id": "portal", "share": 0.61, "kind": "game"},
        {"game_id": "half-life-2", "share": 0.22, "kind": "game"},
    ],
    "rest": 0.17,
    "exact": True,
}
ITEM = {"game_id": "portal-2", "title": "Portal 2", "score": 0.31, **BECAUSE}
ANSWERED_BY = {
    "model": "games",
    "model_version": "1.0.0-0123abcd-89ef4567",
    "variant": "champion",
}
RECOMMENDED = {
    "recommendation_id": "019ca96ea8005f0c6f2d9b8a7e6d5c4b31.1.0.0-0123abcd-89ef4567",
    **ANSWERED_BY,
    "items": [ITEM],
    "underfilled": False,
    "score_kind": "probability",
    "fallback": None,
}
REQUEST = {
    "user_id": "player-17",
    "k": 1,
    "filters": {"genres": ["puzzle"], "max_price": 20, "exclude": ["the-witness"]},
}
MANY = {"user_ids": ["player-17", "player-18"], "k": 1}
HISTORY = {"history": ["portal", "half-life-2"], "k": 1}
EVENTS = [
    {
        "event_id": "c0ffee-1",
        "type": "purchase",
        "user_id": "player-17",
        "game_id": "portal-2",
        "recommendation_id": RECOMMENDED["recommendation_id"],
        "value": 9.99,
        "timestamp": "2024-05-01T12:00:00Z",
    }
]
GAME = {
    "game_id": "portal-2",
    "title": "Portal 2",
    "genres": ["puzzle"],
    "tags": ["co-op", "first-person"],
    "platforms": ["linux", "windows"],
    "released": "2011-04-18",
    "price_usd": 9.99,
    "developer": "Valve",
    "publisher": "Valve",
    "age_rating": 10,
}


def schema(type_: Any) -> dict[str, Any]:
    """The JSON Schema of a type, its references written out in place."""
    whole = msgspec.json.schema(type_)
    resolved = _inlined(whole, whole.get("$defs", {}))
    assert isinstance(resolved, dict)
    return resolved


def recommend() -> dict[str, Any]:
    """``POST /v1/recommendations``."""
    return {
        **_body(RecommendationRequest, {"player": REQUEST, "history": HISTORY}),
        "responses": _responses(RecommendationsAnswer, RECOMMENDED, 413, 415),
    }


def recommend_many() -> dict[str, Any]:
    """``POST /v1/recommendations/batch``."""
    return {
        **_body(BatchRequest, {"players": MANY}),
        "responses": _responses(BatchAnswer, {"items": [RECOMMENDED]}, 413, 415),
    }


def recommend_to() -> dict[str, Any]:
    """``GET /v1/recommendations/{user_id}``."""
    return {
        "parameters": _parameters(UserPath, RecommendationQuery, {"user_id": "player-17"}),
        "responses": _responses(RecommendationsAnswer, RECOMMENDED),
    }


def why_not() -> dict[str, Any]:
    """``GET /v1/why-not/{user_id}/{game_id}``."""
    asked = {"user_id": "player-17", "game_id": "portal-2"}
    example = {
        **asked,
        **ANSWERED_BY,
        "verdict": "ranked",
        "detail": "13 games come before 'Portal 2'; 10 were asked for",
        "rank": 14,
        "score": 0.04,
        **BECAUSE,
    }
    return {
        "parameters": _parameters(WhyNotPath, RecommendationQuery, asked),
        "responses": _responses(WhyNotAnswer, example),
    }


def search() -> dict[str, Any]:
    """``GET /v1/search``."""
    found = {"game_id": "portal-2", "title": "Portal 2", "score": 0.97, "matched": "title"}
    return {
        "parameters": _parameters(None, SearchQuery, {"q": "prtal 2"}),
        "responses": _responses(SearchAnswer, {"items": [found]}),
    }


def events() -> dict[str, Any]:
    """``POST /v1/events``."""
    example = {
        "accepted": 1,
        "duplicates": 0,
        "rejected": [{"index": 1, "detail": "Object missing required field `event_id`"}],
    }
    body = _body(EventIn, {})
    content = body["requestBody"]["content"]["application/json"]
    content["schema"] = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_EVENTS,
        "items": schema(EventIn),
    }
    content["examples"] = {"purchase": {"value": EVENTS}}
    return {**body, "responses": _responses(EventsAnswer, example, 413, 415, 507)}


def games() -> dict[str, Any]:
    """``GET /v1/games``."""
    return {
        "parameters": _parameters(None, GamesQuery, {"title": "portal"}),
        "responses": _responses(GamesAnswer, {"items": [GAME], "next_cursor": "cG9ydGFsLTI"}),
    }


def game() -> dict[str, Any]:
    """``GET /v1/games/{game_id}``."""
    return {
        "parameters": _parameters(GamePath, None, {"game_id": "portal-2"}),
        "responses": _responses(GameAnswer, GAME, 404),
    }


def similar() -> dict[str, Any]:
    """``GET /v1/games/{game_id}/similar``."""
    items = [{"game_id": "portal-2", "title": "Portal 2", "score": 0.4}]
    example = {"game_id": "portal", **ANSWERED_BY, "items": items, "underfilled": False}
    return {
        "parameters": _parameters(GamePath, SimilarQuery, {"game_id": "portal"}),
        "responses": _responses(SimilarAnswer, example, 404),
    }


def _body(type_: Any, examples: Mapping[str, Any]) -> dict[str, Any]:
    content = {
        "schema": schema(type_),
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _parameters(path: Any, query: Any, examples: Mapping[str, str]) -> list[dict[str, Any]]:
    found = []
    for place, type_ in (("path", path), ("query", query)):
        described = schema(type_) if type_ is not None else {"properties": {}}
        for name, properties in described["properties"].items():
            parameter = {
                "name": name,
                "in": place,
                "required": name in described.get("required", ()),
                "schema": properties,
            }
            if name in examples:
                parameter["example"] = examples[name]
            found.append(parameter)
    return found


def _responses(type_: Any, example: Any, *more: int) -> dict[str, Any]:
    said = {
        413: "The body is too large.",
        415: "The body is not said to be JSON.",
        507: "The disk is full; nothing was stored.",
        404: "No such game.",
        422: "The request cannot be read.",
        503: "Nothing can answer or store right now.",
    }
    problem = {"application/problem+json": {"schema": PROBLEM}}
    errors = {
        str(status): {"description": said[status], "content": problem}
        for status in sorted({422, 503, *more})
    }
    good = {
        "description": "The answer.",
        "headers": {
            "X-Flyball-Version": {
                "description": "The version that answered.",
                "schema": {"type": "string"},
            }
        },
        "content": {"application/json": {"schema": schema(type_), "example": example}},
    }
    return {"200": good, **errors}


def _inlined(value: Any, definitions: Mapping[str, Any]) -> Any:
    """``value`` with every reference replaced by what it refers to."""
    if isinstance(value, list):
        return [_inlined(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target = definitions[value["$ref"].removeprefix(_PREFIX)]
        beside = {key: item for key, item in value.items() if key != "$ref"}
        return _inlined({**target, **beside}, definitions)
    return {key: _inlined(item, definitions) for key, item in value.items() if key != "$defs"}
