"""Requests that are answered together: each as if it were alone, whatever the others are."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from fed_connections import Line, Pond, a_server, an_edge, bodies, post, run, settled
from flyball.domain.access import ANYONE, Caller, Scope
from flyball.errors import FlyballError, Unauthenticated
from flyball.exchange import Call, Endpoint, Reply
from flyball.serving.edge.admission import Admission
from flyball.serving.edge.gathering import AT_ONCE
from flyball.settings import Server as Settings
from raw_http import answered


@pytest.fixture
def pond() -> Pond:
    return Pond()


class TestRequestsOfOneMoment:
    def test_are_answered_in_one_pass_each_on_its_own_connection(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            lines = [Line(server).send(post(b"%d" % number)) for number in range(5)]
            assert [line.said for line in lines] == [b""] * 5
            await settled(server)
            assert [bodies(line.said) for line in lines] == [[{"said": str(n)}] for n in range(5)]

        run(play)
        assert pond.passes == [[b"0", b"1", b"2", b"3", b"4"]]
        assert pond.alone == []

    def test_that_are_too_many_for_one_pass_take_several(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            lines = [Line(server).send(post(b"%d" % number)) for number in range(2 * AT_ONCE + 3)]
            await settled(server)
            for number, line in enumerate(lines):
                assert bodies(line.said) == [{"said": str(number)}]

        run(play)
        assert [len(each) for each in pond.passes] == [AT_ONCE, AT_ONCE, 3]

    def test_fail_each_for_itself(self, pond):
        """Refused, crashed, with an answer that cannot be sent: the others get theirs."""
        sent = [b"a", b"fail", b"b", b"crash", b"c", b"split", b"d", b"large", b"e"]

        async def play() -> None:
            server = a_server(an_edge(pond))
            lines = [Line(server).send(post(body)) for body in sent]
            await settled(server)
            statuses = [answered(line.said).status for line in lines]
            assert statuses == [200, 422, 200, 500, 200, 500, 200, 200, 200]
            assert b"secret" not in b"".join(line.said for line in lines)
            assert not any(line.transport.closed for line in lines), "an error ends no connection"

        run(play)
        assert pond.passes == [sent]

    @pytest.mark.parametrize("found", [ZeroDivisionError(), [], [Reply(b"{}")] * 3])
    def test_are_all_told_of_an_error_of_the_whole_pass(self, found):
        """Also of a pass that has more or fewer answers than questions: nobody waits for ever."""

        class Broken(Pond):
            def together(self, calls: Any) -> Any:
                if isinstance(found, Exception):
                    raise found
                return found

        async def play() -> None:
            server = a_server(an_edge(Broken()))
            lines = [Line(server).send(post()) for _ in range(2)]
            await settled(server)
            assert [answered(line.said).status for line in lines] == [500, 500]
            assert [bodies(line.send(post(b"fail")).said)[0]["status"] for line in lines] == [
                500
            ] * 2

        run(play)

    def test_are_asked_of_the_endpoint_each_is_for(self, pond):
        """Two endpoints of one path, and one of another."""
        asked: list[tuple[str, int]] = []

        def endpoint(method: str, path: str) -> Endpoint:
            def together(calls: Any) -> Any:
                asked.append((method + path, len(calls)))
                return [Reply(json.dumps(method + path).encode()) for _ in calls]

            return Endpoint(
                method=method,
                path=path,
                handler=pond.handler,
                scope=Scope.READ,
                described={},
                together=together,
            )

        async def play() -> None:
            edge = an_edge(pond, endpoint("GET", "/fish"), endpoint("POST", "/crab"))
            server = a_server(edge)
            getting = b"GET /fish HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            requests = [
                post(b"1"),
                getting,
                post().replace(b"/fish", b"/crab"),
                getting,
                post(b"2"),
            ]
            lines = [Line(server).send(request) for request in requests]
            await settled(server)
            got = [bodies(line.said)[0] for line in lines]
            assert got == [{"said": "1"}, "GET/fish", "POST/crab", "GET/fish", {"said": "2"}]

        run(play)
        assert sorted(asked) == [("GET/fish", 2), ("POST/crab", 1)]
        assert pond.passes == [[b"1", b"2"]]

    def test_that_administer_or_have_a_path_to_read_are_asked_alone(self):
        """What an administrator does is noted; and nobody may ask for the pattern by its name."""
        passes: list[int] = []

        def endpoint(path: str, scope: Scope, handler: Any) -> Endpoint:
            def together(calls: Any) -> Any:
                passes.append(len(calls))
                return [Reply(b"{}") for _ in calls]

            return Endpoint(
                method="POST",
                path=path,
                handler=handler,
                scope=scope,
                described={},
                together=together,
            )

        async def told(call: Call) -> Reply:
            return Reply(json.dumps(dict(call.path)).encode())

        async def play() -> None:
            ruled = endpoint("/rule", Scope.ADMIN, told)
            server = a_server(an_edge(Pond(), ruled, endpoint("/of/{fish}", Scope.READ, told)))
            for path in (b"/rule", b"/of/{fish}"):
                line = Line(server).send(post().replace(b"/fish", path))
                await settled(server)
                assert answered(line.said).status == 200
            assert bodies(line.said) == [{"fish": "{fish}"}]

        run(play)
        assert passes == []


class Told:
    """A gate that lets in who says a word, and notes who was not."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str, str, int]] = []

    def admit(self, headers: Any, address: str, scope: Scope | None, /) -> Caller:
        if headers.get(b"x-word") != b"sesame":
            raise Unauthenticated("say the word")
        return ANYONE

    def refused(self, method: str, path: str, address: str, error: FlyballError) -> None:
        self.notes.append((method, path, address, error.status))

    def administered(self, caller: Any, method: str, path: str, address: str, status: int) -> None:
        raise AssertionError("nobody administers")


class TestWhoMayAsk:
    def test_is_judged_for_each_and_a_refusal_is_noted_once(self, pond):
        gate = Told()

        async def play() -> None:
            server = a_server(an_edge(pond, gate=gate))
            knowing = Line(server).send(post(b"a", b"X-Word: sesame"))
            others = [Line(server, f"10.0.0.{n}").send(post(b"b")) for n in range(2)]
            await settled(server)
            assert answered(knowing.said).status == 200
            for line in others:
                refused = answered(line.said)
                assert refused.status == 401
                assert refused.headers["www-authenticate"].startswith("bearer")

        run(play)
        assert pond.passes == [[b"a"]]
        assert gate.notes == [("POST", "/fish", f"10.0.0.{n}", 401) for n in range(2)]

    def test_is_a_caller_whom_a_trusted_proxy_names_and_no_other(self, pond):
        """As on the way of ASGI: see the same requests in two pieces."""
        forwarded = b"X-Forwarded-For: 203.0.113.7, 198.51.100.9"
        for pieces in (1, 2):
            gate = Told()

            async def play(gate: Told = gate, pieces: int = pieces) -> None:
                server = a_server(
                    an_edge(pond, gate=gate), Settings(trusted_proxies=["10.0.0.1", "198.51.100.9"])
                )
                asked = post(b"abc", forwarded)
                cut = len(asked) if pieces == 1 else -2
                for peer in ("10.0.0.1", "10.0.0.2"):
                    Line(server, peer).send(asked[:cut], asked[cut:])
                empty = post(b"abc", b"X-Forwarded-For: ")
                Line(server, "10.0.0.1").send(empty[:cut], empty[cut:])
                await settled(server)

            run(play)
            addresses = [address for _, _, address, _ in gate.notes]
            assert sorted(addresses) == ["10.0.0.1", "10.0.0.2", "203.0.113.7"], pieces


class TestTooManyAtOnce:
    def test_are_refused_in_part_and_told_when_to_come_again(self, pond):
        async def play() -> None:
            admission = Admission(most_waiting=40)
            server = a_server(an_edge(pond, admission=admission))
            lines = [Line(server).send(post(b"%d" % number)) for number in range(200)]
            await settled(server)
            statuses = [answered(line.said).status for line in lines]
            assert set(statuses) == {200, 429}
            assert statuses.count(200) >= 40
            assert admission.refused == statuses.count(429)
            assert admission.waiting == 0
            refused = answered(lines[statuses.index(429)].said)
            assert refused.headers["retry-after"] == "1"
            again = Line(server).send(post())
            await settled(server)
            assert answered(again.said).status == 200, "a crowd leaves nothing behind"

        run(play)

    def test_who_went_away_while_waiting_costs_nothing(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            lines = [Line(server).send(post(b"%d" % number)) for number in range(4)]
            for line in lines[::2]:
                line.leave()
            await settled(server)
            assert [bool(line.said) for line in lines] == [False, True, False, True]

        run(play)
        assert pond.passes == [[b"1", b"3"]]

    def test_who_has_waited_too_long_is_told_so_and_costs_nothing(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            late = Line(server).send(post(b"late", b"X-Request-Timeout: 0.000001"))
            soon = Line(server).send(post(b"soon", b"X-Request-Timeout: 60"))
            wrong = Line(server).send(post(b"wrong", b"X-Request-Timeout: tomorrow"))
            arrived = time.monotonic()
            while time.monotonic() < arrived + 0.00001:
                await asyncio.sleep(0)
            await settled(server)
            assert [answered(each.said).status for each in (late, soon, wrong)] == [504, 200, 422]

        run(play)
        assert pond.passes == [[b"soon"]]
