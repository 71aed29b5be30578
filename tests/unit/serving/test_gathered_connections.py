"""A connection whose requests are answered together with others': what its client may rely on."""

from __future__ import annotations

import gzip
import json
import math
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fed_connections import (
    HEAD,
    Line,
    Pond,
    a_server,
    an_edge,
    bodies,
    post,
    run,
    settled,
    without_ids,
)
from flyball.serving.edge.phase import Phase
from raw_http import answered


@pytest.fixture
def pond() -> Pond:
    return Pond()


ALONE = {
    "expect": post(b"{}", b"Expect: 100-continue"),
    "another protocol": post(b"{}", b"Connection: Upgrade", b"Upgrade: h2c"),
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a header twice": post(b"{}", b"X-A: 1", b"X-A: 2"),
    "a query": post().replace(b"/fish", b"/fish?k=3"),
    "a slash": post().replace(b"/fish", b"/fish/"),
    "an escape": post().replace(b"/fish", b"/f%69sh"),
    "an absolute address": post().replace(b"/fish", b"http://127.0.0.1/fish"),
    "a page's origin": post(b"{}", b"Origin: https://shop.example"),
}


class TestAWholeRequest:
    @pytest.mark.parametrize(
        "request_",
        [
            post(b"a"),
            post(b""),
            HEAD + b"\r\n",
            post(b"fail"),
            post(b"large"),
            post(b"large", b"Accept-Encoding: gzip"),
            post(b"a", b"Connection: close"),
            post(b"a").replace(b"Host: 127.0.0.1", b"Host: evil.example"),
            post(b"a").replace(b"application/json", b"text/plain"),
            post(b"a", b"X-Request-Timeout: never"),
            post(b"a", b"Content-Encoding: gzip"),
        ],
    )
    def test_gets_the_answer_it_would_get_in_pieces(self, request_):
        """To the last byte, and with the same end, wherever it is cut."""

        async def play() -> None:
            pond = Pond()
            server = a_server(an_edge(pond))
            whole = Line(server).send(request_)
            await settled(server)
            assert whole.said
            assert (pond.alone, len(whole.transport.inbox)) == ([], 0)
            body = len(request_) - request_.index(b"\r\n\r\n") - 4
            for cut in (1, 5, len(request_) // 2, len(request_) - body, len(request_) - 1):
                line = Line(server).send(request_[:cut], request_[cut:])
                await settled(server)
                assert without_ids(line.said) == without_ids(whole.said), cut
                assert line.transport.closed == whole.transport.closed
                assert line.connection.phase is whole.connection.phase

        run(play)

    @pytest.mark.parametrize("what", ALONE)
    def test_that_needs_more_than_an_answer_is_answered_alone(self, pond, what):
        async def play() -> None:
            server = a_server(an_edge(pond))
            line = Line(server).send(ALONE[what])
            await settled(server)
            said = line.said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert answered(said).status == 200

        run(play)
        assert pond.passes == []
        assert len(pond.alone) == 1

    def test_is_compressed_for_who_takes_that(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            line = Line(server).send(post(b"large", b"Accept-Encoding: gzip"))
            await settled(server)
            found = answered(line.said)
            assert found.headers["content-encoding"] == "gzip"
            assert len(json.loads(gzip.decompress(found.body))) == 4001

        run(play)

    def test_leaves_an_idle_connection_that_takes_the_next(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond), idle_s=7.0)
            line = Line(server)
            for number in range(3):
                line.send(post(b"%d" % number))
                assert line.connection.phase is Phase.ASKED
                assert line.connection.until == math.inf, "a request that waits is not overdue"
                await settled(server)
                assert line.connection.phase is Phase.IDLE
                assert 0.0 < line.connection.until - time.monotonic() <= 7.0
            assert bodies(line.said) == [{"said": str(number)} for number in range(3)]
            line.connection.overdue(line.connection.until)
            assert line.transport.closed
            assert server.state.total_requests == 3

        run(play)
        assert pond.passes == [[b"0"], [b"1"], [b"2"]]


class TestSeveralOnOneConnection:
    @given(
        sent=st.lists(st.sampled_from(["a", "fail", "crash", "large", "GET"]), max_size=6),
        cuts=st.lists(st.integers(0, 1500), max_size=5),
    )
    def test_are_answered_in_their_order_however_they_arrive(self, sent, cuts):
        async def play() -> None:
            server = a_server(an_edge(Pond()))
            beside = [b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]
            requests = [beside[0] if each == "GET" else post(each.encode()) for each in sent]
            stream = b"".join([*requests, post(b"z", b"Connection: close")])
            edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
            line = Line(server)
            for start, end in pairwise(edges):
                line.send(stream[start:end])
                if start % 2:
                    await settled(server)
            await settled(server)
            expected = {"a": 200, "fail": 422, "crash": 500, "large": 200, "GET": 404}
            found, said = [], line.said
            while said:
                answer = answered(said)
                found.append(answer.status)
                said = answer.rest
            assert found == [*(expected[each] for each in sent), 200]
            assert line.transport.closed

        run(play)

    def test_wait_for_each_other_also_when_the_second_comes_later(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            line = Line(server).send(post(b"1"), post(b"2") + post(b"3"))
            await settled(server)
            assert bodies(line.said) == [{"said": "1"}, {"said": "2"}, {"said": "3"}]
            line.send(post(b"4"))
            await settled(server)
            assert bodies(line.said)[-1] == {"said": "4"}

        run(play)
        assert (pond.passes, pond.alone) == ([[b"1"], [b"4"]], [b"2", b"3"])

    @pytest.mark.parametrize("broken", [b"nonsense\r\n\r\n", b"\x16\x03\x01", b"GET /\r\n\r\n"])
    @pytest.mark.parametrize("apart", [False, True])
    def test_are_not_answered_from_a_broken_one_on(self, pond, broken, apart):
        async def play() -> None:
            server = a_server(an_edge(pond))
            line = Line(server)
            parts = [post(b"1"), broken + post(b"2")]
            line.send(*(parts if apart else [b"".join(parts)]))
            await settled(server)
            found = answered(line.said)
            assert (found.status, found.headers["connection"], found.rest) == (200, "close", b"")
            assert line.transport.closed

        run(play)
        assert (pond.passes, pond.alone) == ([[b"1"]], [])

    def test_are_not_answered_behind_one_that_ends_the_connection(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            line = Line(server).send(post(b"1", b"Connection: close") + post(b"2"))
            await settled(server)
            found = answered(line.said)
            assert (found.status, found.headers["connection"], found.rest) == (200, "close", b"")

        run(play)
        assert (pond.passes, pond.alone) == ([[b"1"]], [])

    def test_are_bounded(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond), pipelined=3)
            line = Line(server).send(post(b"x") * 50)
            await settled(server)
            assert len(bodies(line.said)) == 4
            assert line.said.count(b"connection: close") == 1

        run(play)

    def test_behind_one_whose_body_is_not_all_there_wait_for_it(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            asked = post(b"0123456789")
            line = Line(server).send(asked[:-3])
            await settled(server)
            assert line.said == b""
            assert line.connection.phase is Phase.BODY
            line.send(asked[-3:] + post(b"after"))
            await settled(server)
            assert bodies(line.said) == [{"said": "0123456789"}, {"said": "after"}]

        run(play)

    def test_a_body_that_does_not_come_is_a_408_and_the_end(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            line = Line(server).send(post(b"first") + post(b"0123456789")[:-3])
            await settled(server)
            assert answered(line.said).status == 200
            line.connection.overdue(line.connection.until)
            await settled(server)
            late = answered(answered(line.said).rest)
            assert late.status == 408
            assert late.headers["connection"] == "close"

        run(play)


class TestAnEnd:
    def test_of_the_server_is_told_with_the_last_answer(self, pond):
        """Both to who asks while it ends, and to who waits when it begins to end."""

        async def play() -> None:
            server = a_server(an_edge(pond))
            waiting = Line(server).send(post(b"1"))
            waiting.connection.shutdown()
            server.state.closing = True
            later = Line(server).send(post(b"2"))
            assert not waiting.transport.closed
            await settled(server)
            for line in (waiting, later):
                assert answered(line.said).headers["connection"] == "close"
                assert line.transport.closed
            assert not server.state.connections, "the server may end now"

        run(play)

    def test_of_a_client_is_no_error(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            line = Line(server).send(post(b"1") + post(b"2"))
            line.leave()
            await settled(server)
            assert line.said == b""
            assert not server.state.connections

        run(play)
        assert (pond.passes, pond.alone) == ([], [])


class TestAClientThatDoesNotRead:
    def test_is_not_answered_until_it_does(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond))
            line = Line(server).send(post(b"1"))
            await settled(server)
            line.connection.pause_writing()
            before = line.said
            line.send(post(b"2"))
            await settled(server)
            assert line.said == before
            line.connection.resume_writing()
            await settled(server)
            assert bodies(line.said) == [{"said": "1"}, {"said": "2"}]
            assert line.connection.phase is Phase.IDLE

        run(play)
        assert pond.passes == [[b"1"]]

    def test_is_given_up(self, pond):
        async def play() -> None:
            server = a_server(an_edge(pond), read_s=5.0)
            line = Line(server).send(post(b"1"))
            await settled(server)
            line.connection.pause_writing()
            line.send(post(b"2"))
            assert line.connection.until < math.inf
            line.connection.overdue(line.connection.until)
            await settled(server)
            assert line.transport.closed
            assert not server.state.tasks

        run(play)
