"""Whatever is sent to the games API, it is understood or refused with a reason."""

from __future__ import annotations

import asyncio

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message
from structlog.testing import capture_logs

from flyball.serving.edge.body import MOST_BYTES
from flyball.testing.games import is_a_problem

RECOMMEND = "/v1/recommendations"
JSON = {"content-type": "application/json"}


class TestARequestThatCannotBeRead:
    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({"k": 0}, "$.k"),
            ({"k": 101}, "$.k"),
            ({"k": "5"}, "$.k"),
            ({"k": True}, "$.k"),
            ({"k": 1.5}, "$.k"),
            ({"k": 10**400}, "$.k"),
            ({"k": None}, "$.k"),
            ({"user_id": ""}, "$.user_id"),
            ({"user_id": "x" * 129}, "$.user_id"),
            ({"user_id": "nul\0"}, "$.user_id"),
            ({"user_id": "line\n"}, "$.user_id"),
            ({"user_id": 17}, "$.user_id"),
            ({"user": "player-3"}, "unknown field `user`"),
            ({"history": ["a"] * 100_001}, "$.history"),
            ({"history": ["x" * 129]}, "$.history"),
            ({"history": "metroid"}, "$.history"),
            ({"filters": {"exclude": ["a"] * 100_001}}, "$.filters"),
            ({"filters": {"genre": "rpg"}}, "$.filters"),
            ({"filters": {"max_price": -1}}, "$.filters"),
            ({"filters": {"min_price": 1e300}}, "$.filters"),
            ({"filters": {"max_age_rating": 17.5}}, "$.filters"),
            ({"diversity": 1.01}, "$.diversity"),
            ({"filters": {"released_after": "yesterday"}}, "$.filters"),
            ({"min_score": "high"}, "$.min_score"),
            ({"context": {"nested": {}}}, "$.context"),
            ([], "Expected `object`"),
            ("player-3", "Expected `object`"),
        ],
    )
    def test_is_a_problem_that_says_where(self, client, host, body, says):
        assert says in is_a_problem(client.post(RECOMMEND, json=body), 422)
        assert host.counted == [(RECOMMEND, 422)]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"not json",
            b"null",
            b'{"user_id": "\xff"}',
            b'{"user_id": "\\ud800"}',
            b'{"min_score": NaN}',
            b'{"min_score": Infinity}',
            b'{"min_score": 1e999}',
            b'{"k": ' + b"9" * 10_000 + b"}",
            b"[" * 200_000,
            b'{"context": ' + b'{"a":' * 200_000,
            b"\xef\xbb\xbf{}",
        ],
        ids=lambda body: repr(body[:24]),
    )
    @pytest.mark.parametrize("path", [RECOMMEND, "/v1/events"])
    def test_is_a_problem_whatever_the_bytes(self, client, path, body):
        is_a_problem(client.post(path, content=body, headers=JSON), 422)

    def test_is_not_a_failure_of_the_version_where_it_is_too_large(self, app, host):
        """Else anybody could make a healthy version look degraded."""
        pieces = iter([b"x" * (MOST_BYTES // 2 + 1)] * 2)
        answer = TestClient(app).post(RECOMMEND, content=pieces, headers=JSON)
        is_a_problem(answer, 413)
        assert host.counted == []

    def test_is_counted_for_nobody_where_its_sender_went_away(self, app, host):
        scope = {
            "type": "http",
            "method": "POST",
            "path": RECOMMEND,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"100")],
        }
        arriving = iter(
            [
                {"type": "http.request", "body": b"{", "more_body": True},
                {"type": "http.disconnect"},
            ]
        )
        answered = []

        async def receive() -> Message:
            return next(arriving)

        async def send(message: Message) -> None:
            answered.append(message)

        with capture_logs() as lines:
            asyncio.run(app(scope, receive, send))
        assert (host.counted, answered, lines) == ([], [], [])

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_is_refused_where_it_is_not_said_to_be_json(self, client, kind):
        """A web page of anybody may post such types to a server on this machine."""
        answer = client.post(RECOMMEND, content=b"{}", headers={"content-type": kind})
        assert "Content-Type: application/json" in is_a_problem(answer, 415)

    @pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/ld+json"])
    def test_may_say_json_in_other_words(self, client, kind):
        answer = client.post(RECOMMEND, content=b"{}", headers={"content-type": kind})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "path",
        [
            f"{RECOMMEND}/player-3?k=0",
            f"{RECOMMEND}/player-3?k=101",
            f"{RECOMMEND}/player-3?k=ten",
            f"{RECOMMEND}/player-3?k=",
            f"{RECOMMEND}/player-3?k={'9' * 5000}",
            f"{RECOMMEND}/nul%00",
            f"{RECOMMEND}/{'x' * 129}",
            "/v1/games?limit=0",
            "/v1/games?limit=201",
            "/v1/games?cursor=%00",
            "/v1/games?cursor=not-a-cursor",
            f"/v1/games?title={'x' * 201}",
            f"/v1/games/{'x' * 129}",
            "/v1/games/metroid/similar?k=1000",
        ],
    )
    def test_in_path_or_query_is_a_problem_too(self, client, path):
        is_a_problem(client.get(path), 422)
