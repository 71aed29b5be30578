"""What a sender of events may rely on."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from flyball.errors import StorageUnavailable
from flyball.testing.games import VERSION, a_purchase, is_a_problem

JSON = {"content-type": "application/json"}


class TestEvents:
    def test_are_stored_as_sent(self, client, host):
        sent = a_purchase(
            recommendation_id=f"ab12.{VERSION}",
            value=9.99,
            timestamp="2024-05-01T14:00:00+02:00",
        )
        answer = client.post("/v1/events", json=[sent])
        assert answer.status_code == 200
        assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
        stored = host.events["event-1"]
        assert (stored.model, stored.user_id, stored.item_id) == ("games", "player-3", "metroid")
        assert (stored.recommendation_id, stored.value) == (f"ab12.{VERSION}", 9.99)
        assert stored.timestamp == datetime(2024, 5, 1, 12, tzinfo=UTC)
        assert stored.received_at > stored.timestamp

    def test_without_a_time_happened_when_they_came(self, client, host):
        client.post("/v1/events", json=[a_purchase()])
        stored = host.events["event-1"]
        assert stored.timestamp == stored.received_at
        assert stored.timestamp.tzinfo is UTC

    def test_sent_again_are_counted_as_duplicates(self, client, host):
        client.post("/v1/events", json=[a_purchase(1)])
        answer = client.post("/v1/events", json=[a_purchase(1), a_purchase(2), a_purchase(2)])
        assert answer.json() == {"accepted": 1, "duplicates": 2, "rejected": []}
        assert set(host.events) == {"event-1", "event-2"}

    @pytest.mark.parametrize("kind", ["impression", "click", "purchase", "play", "dislike"])
    def test_of_every_type_and_of_newer_games_are_taken(self, client, kind):
        event = a_purchase(type=kind, game_id="not-out-yet", recommendation_id="", value=None)
        assert client.post("/v1/events", json=[event]).json()["accepted"] == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            {"type": "rating"},
            {"event_id": ""},
            {"event_id": "x" * 129},
            {"user_id": "nul\0"},
            {"game_id": "line\n"},
            {"game_id": None},
            {"value": -1},
            {"value": "9.99"},
            {"timestamp": "2024-05-01"},
            {"timestamp": "2024-05-01T14:00:00"},
            {"timestamp": "0001-01-01T00:00:00+14:00"},
            {"timestamp": "9999-12-31T23:59:59-14:00"},
            {"timestamp": 1714560000},
            {"surprise": 1},
            {"value": 10**400},
        ],
        ids=repr,
    )
    def test_that_cannot_be_read_are_listed_and_the_others_stored(self, client, host, wrong):
        sent = [a_purchase(1), a_purchase(2, **wrong), a_purchase(3)]
        body = client.post("/v1/events", json=sent).json()
        assert body["accepted"] == 2
        assert [rejected["index"] for rejected in body["rejected"]] == [1]
        assert body["rejected"][0]["detail"]
        assert set(host.events) == {"event-1", "event-3"}

    def test_of_bad_bytes_inside_a_good_array_are_rejected_alone(self, client, host):
        good = json.dumps(a_purchase(1)).encode()
        bad = json.dumps(a_purchase(2, user_id="?")).encode().replace(b"?", b"\xff")
        answer = client.post("/v1/events", content=b"[%s,%s]" % (good, bad), headers=JSON)
        assert answer.json()["accepted"] == 1
        assert [rejected["index"] for rejected in answer.json()["rejected"]] == [1]
        assert set(host.events) == {"event-1"}

    @pytest.mark.parametrize("count", [0, 1001])
    def test_come_one_to_a_thousand_at_a_time(self, client, count):
        sent = [a_purchase(number) for number in range(count)]
        assert "1 to 1000" in is_a_problem(client.post("/v1/events", json=sent), 422)

    def test_come_a_thousand_at_a_time(self, client, host):
        sent = [a_purchase(number) for number in range(1000)]
        assert client.post("/v1/events", json=sent).json()["accepted"] == 1000
        assert len(host.events) == 1000

    def test_are_an_array(self, client):
        is_a_problem(client.post("/v1/events", json=a_purchase()), 422)

    def test_that_cannot_be_stored_are_not_acknowledged(self, client, host):
        host.failing = StorageUnavailable("the database is away")
        is_a_problem(client.post("/v1/events", json=[a_purchase()]), 503)
        host.failing = StorageUnavailable("no space left on the disk")
        is_a_problem(client.post("/v1/events", json=[a_purchase()]), 507)

    def test_are_taken_while_no_version_is_loaded(self, client, host):
        host.servable = None
        assert client.post("/v1/events", json=[a_purchase()]).json()["accepted"] == 1

    def test_are_not_held_against_a_version(self, client, host):
        host.failing = StorageUnavailable("the database is away")
        client.post("/v1/events", json=[a_purchase()])
        assert host.counted == []
