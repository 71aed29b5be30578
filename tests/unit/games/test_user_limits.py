"""A request that names a player counts for them; others' requests do not."""

from __future__ import annotations

import pytest

from flyball.testing.games import is_a_problem

RECOMMEND = "/v1/recommendations"


def asked(client, user: str | None, *, by_get: bool):
    if by_get:
        return client.get(f"{RECOMMEND}/{user}")
    return client.post(RECOMMEND, json={} if user is None else {"user_id": user})


@pytest.mark.parametrize("by_get", [True, False])
def test_too_many_requests_for_one_player_are_told_to_come_back(client, host, by_get):
    host.tired = frozenset({"player-3"})
    refused = asked(client, "player-3", by_get=by_get)
    assert "too many for player-3" in is_a_problem(refused, 429)
    assert refused.headers["retry-after"] == "1"
    assert asked(client, "player-4", by_get=by_get).status_code == 200


def test_a_request_that_names_nobody_has_no_such_limit(client, host):
    host.tired = frozenset({"player-3", ""})
    assert asked(client, None, by_get=False).status_code == 200
