"""How a player reaches the live server over HTTP: lists of games to see, events to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from flyball.errors import FlyballError

Event = Mapping[str, Any]


class Refused(FlyballError):
    """The server is away or overloaded: come back when it is ready again."""


class Misunderstood(FlyballError):
    """The server refused a request as wrong, or its answer cannot be read."""


class Storefront:
    """The server as a player sees it. Every method may be called by many sessions at a time.

    Args:
        client: its base URL is the server's; closed by whoever made it.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ready(self) -> bool:
        """Whether the server answers, and says that it can serve."""
        try:
            answer = await self._client.get("/health/ready")
        except httpx.TransportError:
            return False
        return answer.status_code == HTTPStatus.OK

    async def recommendations(self, user_id: str, *, k: int, by_get: bool) -> tuple[str, list[str]]:
        """The answer's id and the ids of at most ``k`` games, best first.

        Raises:
            Refused: the server is away or overloaded.
            Misunderstood: it refused the request, or answered something else.
        """
        if by_get:
            path = f"/v1/recommendations/{quote(user_id, safe='')}"
            body = await self._ask("GET", path, params={"k": k})
        else:
            body = await self._ask("POST", "/v1/recommendations", json={"user_id": user_id, "k": k})
        try:
            return str(body["recommendation_id"]), [str(i["game_id"]) for i in body["items"]]
        except (KeyError, TypeError) as error:
            raise Misunderstood(
                f"the list for {user_id} cannot be read ({error!r}); is this a Flyball server?"
            ) from error

    async def send(self, events: Sequence[Event]) -> list[Event]:
        """Send events; returns those the server took (or had taken before).

        Raises:
            Refused: the server is away or overloaded; sending the same events again is harmless.
            Misunderstood: it refused the request, or answered something else.
        """
        if not events:
            return []
        body = await self._ask("POST", "/v1/events", json=events)
        try:
            rejected = {int(each["index"]) for each in body["rejected"]}
        except (KeyError, TypeError, ValueError) as error:
            raise Misunderstood(
                f"the answer to events cannot be read ({error!r}); is this a Flyball server?"
            ) from error
        return [event for index, event in enumerate(events) if index not in rejected]

    async def _ask(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = await self._client.request(method, path, **request)
        except httpx.TransportError as error:
            raise Refused(f"{method} {path}: {error!r}; is the server up?") from error
        said = f"{method} {path} answered {answer.status_code}: {answer.text[:300]}"
        if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise Refused(f"{said}; try again when /health/ready answers 200")
        if not answer.is_success:
            raise Misunderstood(f"{said}; is this a Flyball server of the same version?")
        try:
            return answer.json()
        except ValueError as error:
            raise Misunderstood(f"{said}, which is no JSON; is this a Flyball server?") from error


def event(
    kind: str, user_id: str, game_id: str, recommendation_id: str, *, value: float | None = None
) -> Event:
    """An event as ``POST /v1/events`` takes it. Its id is new in every run, whatever the seed:
    after a restart the same id would be taken for a repeat."""
    fields: dict[str, Any] = {
        "event_id": str(uuid4()),
        "type": kind,
        "user_id": user_id,
        "game_id": game_id,
        "recommendation_id": recommendation_id,
    }
    return fields if value is None else fields | {"value": value}
