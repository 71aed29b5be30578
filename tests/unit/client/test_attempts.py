"""When a client asks again, how long it waits and when it gives up; nothing is sent here."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import msgspec
import pytest
from client_world import AWAY, FOUND, NOW, World, said, search

from flyball.client import calls
from flyball.client.effects import Answer, Lost
from flyball.client.errors import (
    ApiError,
    DeadlinePassed,
    Forbidden,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
)
from flyball.client.exchange import Options, base_of
from flyball.client.judging import FIRST_S, LONGEST_S, pause_before, retry_after
from flyball.errors import FlyballError
from flyball.errors import InvalidRequest as WrongCall


class TestFurtherAttempts:
    @pytest.mark.parametrize("passing", [AWAY, *(said(s) for s in (429, 502, 503, 504))])
    def test_come_after_what_may_pass(self, passing):
        world = World(passing, FOUND)
        assert world.run(search()).items == []
        assert len(world.wires) == 2

    @pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 415, 422, 500, 507])
    def test_do_not_come_after_what_will_not_change(self, status):
        world = World(said(status))
        with pytest.raises(ApiError) as caught:
            world.run(search())
        assert caught.value.status == status
        assert len(world.wires) == 1

    def test_do_not_come_after_what_no_attempt_can_change(self):
        world = World(Lost("expired", advice="renew it"))
        with pytest.raises(Unreachable, match=r"expired; renew it$"):
            world.run(search(), retries=5)
        assert len(world.wires) == 1

    def test_are_as_many_as_allowed_and_then_the_last_error_is_told(self):
        world = World(AWAY, AWAY, said(503))
        with pytest.raises(Unavailable):
            world.run(search(), retries=2)
        assert len(world.wires) == 3

    def test_none_where_none_is_wanted(self):
        with pytest.raises(Unreachable, match="asked once"):
            World(AWAY).run(search(), retries=0)

    def test_wait_below_a_bound_that_doubles(self):
        for number in range(10):
            bound = min(LONGEST_S, FIRST_S * 2**number)
            assert pause_before(number, AWAY, NOW, lambda: 0.0) == 0.0
            assert pause_before(number, AWAY, NOW, lambda: 0.999) == pytest.approx(0.999 * bound)

    def test_wait_as_long_as_the_server_asks_and_a_little_more(self):
        world = World(said(429, retry_after="1"), FOUND)
        world.run(search(), timeout=5.0)
        assert world.pauses == [1.0 + 0.5 * FIRST_S]

    def test_are_not_waited_for_beyond_the_deadline(self):
        world = World(said(503, retry_after="3"))
        with pytest.raises(Unavailable) as caught:
            world.run(search(), timeout=2.0)
        assert world.pauses == []
        assert caught.value.retry_after_s == 3.0

    def test_stop_when_the_time_of_the_whole_call_is_over(self):
        world = World(*[AWAY] * 50)
        world.cost = 0.3
        with pytest.raises(Unreachable):
            world.run(search(), timeout=1.0, retries=100)
        assert world.time <= 1.0 + 0.3
        assert all(
            a.seconds > b.seconds for a, b in zip(world.wires, world.wires[1:], strict=False)
        )

    def test_send_the_same_events_under_the_same_ids(self):
        answer = Answer(200, {}, b'{"accepted": 2, "duplicates": 0, "rejected": []}')
        world = World(AWAY, said(503), answer)
        events = [{"type": "click", "user_id": "p", "game_id": g} for g in ("a", "b")]
        assert world.run(calls.send(events)).accepted == 2
        assert len({wire.body for wire in world.wires}) == 1
        ids = [event["event_id"] for event in msgspec.json.decode(world.wires[0].body)]
        assert len(set(ids)) == 2


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("text", "seconds"), [("7", 7.0), ("0", 0.0), ("-3", 0.0), ("soon", None), ("nan", None)]
    )
    def test_in_seconds(self, text, seconds):
        assert retry_after(said(503, retry_after=text), NOW) == seconds

    def test_as_a_date(self):
        date = format_datetime(NOW + timedelta(seconds=30), usegmt=True)
        assert retry_after(said(503, retry_after=date), NOW) == 30.0


class TestTheRequest:
    def test_says_how_long_an_answer_helps(self):
        world = World(AWAY, FOUND, draw=0.0)
        world.cost = 0.5
        world.run(search(), timeout=2.0)
        assert [w.headers["x-request-timeout"] for w in world.wires] == ["2.000", "1.500"]

    def test_passes_a_trace_on(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        world = World(FOUND)
        world.run(search(), traceparent=trace)
        assert world.wires[0].headers["traceparent"] == trace

    def test_passes_the_trace_of_the_current_span_on(self):
        trace = pytest.importorskip("opentelemetry.trace")
        context = trace.SpanContext(0xABC, 0xDEF, False, trace.TraceFlags(1))
        world = World(FOUND)
        with trace.use_span(trace.NonRecordingSpan(context)):
            world.run(search())
        assert world.wires[0].headers["traceparent"] == f"00-{0xABC:032x}-{0xDEF:016x}-01"

    def test_names_any_player_and_game_in_a_path(self):
        world = World(said(404))
        with pytest.raises(NotFound):
            world.run(calls.why_not("a/b?c", "50%"))
        assert world.wires[0].url == "http://server/v1/why-not/a%2Fb%3Fc/50%25"

    def test_holds_only_what_was_given(self):
        world = World(said(404))
        with pytest.raises(NotFound):
            world.run(calls.recommend("p", k=3, min_score=0.0))
        assert msgspec.json.decode(world.wires[0].body) == {
            "user_id": "p",
            "k": 3,
            "min_score": 0.0,
        }

    @pytest.mark.parametrize(
        "url", ["", "server", "ftp://x", "http://", "http://u:p@x", "http://["]
    )
    def test_goes_to_a_server_only(self, url):
        with pytest.raises(WrongCall):
            base_of(url)

    @pytest.mark.parametrize("options", [{"timeout": 0.0}, {"timeout": 1e9}, {"retries": -1}])
    def test_is_made_with_sensible_options(self, options):
        with pytest.raises(WrongCall):
            Options(**options)

    def test_is_refused_here_where_it_cannot_be_written(self):
        with pytest.raises(WrongCall, match="cannot be written"):
            World().run(calls.recommend("p", context={"x": object()}))
        with pytest.raises(WrongCall, match="event 1 has unknown fields"):
            World().run(calls.send([{"type": "click", "user_id": "p", "game_id": "g"}, {"x": 1}]))


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (401, Unauthenticated),
            (403, Forbidden),
            (404, NotFound),
            (422, InvalidRequest),
            (429, TooManyRequests),
            (503, Unavailable),
            (504, DeadlinePassed),
            (507, ApiError),
        ],
    )
    def test_are_of_a_kind_and_tell_the_problem(self, status, kind):
        with pytest.raises(kind) as caught:
            World(said(status)).run(search(), retries=0)
        error = caught.value
        assert isinstance(error, FlyballError)
        assert (error.type, error.title, error.status) == ("urn:x", "T", status)
        assert (error.detail, error.instance) == ("D", "urn:i")

    def test_tell_what_a_proxy_said_where_it_is_no_problem_document(self):
        with pytest.raises(ApiError) as caught:
            World(Answer(500, {}, b"<html>oh no</html>")).run(search())
        assert "oh no" in caught.value.detail
        assert caught.value.title == "Internal Server Error"

    def test_of_time_are_told_from_those_of_the_way(self):
        with pytest.raises(DeadlinePassed, match="after 1 attempts") as caught:
            World(Lost("the time was over", late=True)).run(search(), retries=0)
        assert caught.value.status == 504

    def test_of_an_answer_of_another_shape(self):
        with pytest.raises(UnreadableAnswer):
            World(Answer(200, {}, b'{"things": []}')).run(search())
        with pytest.raises(UnreadableAnswer):
            World(Answer(200, {}, b"\xff")).run(search())

    def test_of_send_hold_the_events_nobody_knows_of(self):
        stored = Answer(200, {}, b'{"accepted": 1000, "duplicates": 0, "rejected": []}')
        world = World(stored, said(500))
        events = [{"type": "click", "user_id": "p", "game_id": str(n)} for n in range(1500)]
        with pytest.raises(ApiError) as caught:
            world.run(calls.send(events))
        unsent = caught.value.unsent
        assert [event.game_id for event in unsent] == [str(n) for n in range(1000, 1500)]
        sent = {event["event_id"] for event in msgspec.json.decode(world.wires[1].body)}
        assert {event.event_id for event in unsent} == sent
