"""What a client may do to a connection: it is bounded, answered as a problem, and hurts nobody.

All of it holds on both ways through the server: by ASGI, and answered together with others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from bare_server import Running, a_bare_server, everything
from raw_http import GET, HOST, POST, QUICK, answered, gathered

Way: TypeAlias = Callable[[bytes], bytes]


def by_asgi(request: bytes) -> bytes:
    return request


@pytest.fixture(params=[by_asgi, gathered], ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Way:
    """What makes of a request one that goes this way."""
    found: Way = request.param
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """With the bounds of the product, but quicker."""
    with a_bare_server(bounds=QUICK) as running:
        yield running


class TestARequestThatMayBeReadInTwoWays:
    """Request smuggling: what a proxy and a server read differently is refused, not guessed."""

    @pytest.mark.parametrize(
        "request_",
        [
            POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            POST + b"Content-Length: 1, 1\r\n\r\nx",
            POST + b"Content-Length: +1\r\n\r\nx",
            POST + b"Content-Length: 0x1\r\n\r\nx",
            POST + b"Content-Length: 99999999999999999999999\r\n\r\nx",
            POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            POST + b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
            POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
            POST + b"Transfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n",
            POST + b"Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
            POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx\r\n",
            POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
            b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            GET + b"X-Folded: a\r\n b\r\n\r\n",
            GET + b"X-Blank : a\r\n\r\n",
            GET + b"X-Cr: a\rb\r\n\r\n",
            GET + b"X-Nul: a\0b\r\n\r\n",
            GET + b"no colon\r\n\r\n",
            GET + b": no name\r\n\r\n",
            GET + b"Host: evil.example\r\n\r\n",
            GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
            b"GET /echo HTTP/1.1\r\n\r\n",
            b"GET /echo HTTP/1.1\nHost: a\n\n",
            b"GET /ec\tho HTTP/1.1\r\n" + HOST + b"\r\n",
            b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
            b"GET echo HTTP/1.1\r\n" + HOST + b"\r\n",
            b"CONNECT evil.example:80 HTTP/1.1\r\n" + HOST + b"\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"\0\0\0\0\r\n\r\n",
        ],
    )
    def test_is_a_400_problem_and_the_end_of_the_connection(self, server, request_, way):
        found = answered(server.told(way(request_), way(GET + b"X-Smuggled: yes\r\n\r\n")))
        assert "HTTP" in found.problem(400) or "header" in found.problem(400)
        assert found.rest == b"", "nothing after it may be taken for a request"

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
            (b"GET /echo HTTP/2.0\r\n" + HOST + b"\r\n", 505),
            (b"GET /echo\r\n\r\n", 505),
        ],
    )
    def test_that_needs_what_is_not_spoken_here_is_told_so(self, server, request_, status):
        answered(server.told(request_)).problem(status)

    def test_trailers_are_no_headers(self, server, way):
        chunked = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Api-Key: stolen\r\n\r\n"
        with server.connect() as client:
            client.sendall(way(POST + b"Connection: close\r\n" + chunked))
            found = json.loads(answered(everything(client)).body)
        assert found["body"] == "{}"
        assert "x-api-key" not in found["headers"]

    @pytest.mark.parametrize("wanted", [b"h2c", b"websocket"])
    def test_a_wish_for_another_protocol_is_not_followed(self, server, wanted, way):
        wish = b"Connection: Upgrade\r\nUpgrade: " + wanted + b"\r\n\r\n"
        found = answered(server.told(way(GET + wish)))
        assert found.status == 200
        assert found.headers["connection"] == "close"


class TestTooMuch:
    """Sizes are bounded before they fill the memory."""

    def test_a_long_address_is_a_414(self, server):
        address = b"GET /echo?" + b"q" * 8200 + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        assert "8,192" in answered(server.told(address)).problem(414)
        assert "8,192" in answered(server.told(b"GET /" + b"q" * 60_000)).problem(414)

    def test_an_address_within_the_bound_is_answered(self, server):
        address = b"GET /echo?" + b"q" * 8000 + b" HTTP/1.1\r\n" + HOST
        assert answered(server.told(address + b"Connection: close\r\n\r\n")).status == 200

    def test_many_headers_are_a_431(self, server, way):
        many = way(GET + b"".join(b"a%d: b\r\n" % number for number in range(100)) + b"\r\n")
        assert "100 headers" in answered(server.told(many)).problem(431)

    def test_a_hundred_headers_are_answered(self, server, way):
        asked = way(GET + b"Connection: close\r\n")
        fill = b"".join(b"a%d: b\r\n" % number for number in range(101 - asked.count(b"\r\n")))
        found = answered(server.told(asked + fill + b"\r\n"))
        assert found.status == 200
        assert len(json.loads(found.body)["headers"]) == 100

    @pytest.mark.parametrize("ended", [b"\r\n\r\n", b""])
    @pytest.mark.parametrize("size", [33_000, 400_000])
    def test_large_headers_are_a_431_whether_they_end_or_not(self, server, size, ended, way):
        request = way(GET + b"X-Large: " + b"x" * size + ended)
        assert "32,768 bytes" in answered(server.told(request)).problem(431)

    def test_headers_that_come_in_pieces_are_counted_together(self, server, way):
        with server.connect() as client:
            client.sendall(way(GET))
            for number in range(9):
                client.sendall(b"X-%d: " % number + b"x" * 4000 + b"\r\n")
            assert "32,768 bytes" in answered(everything(client)).problem(431)

    def test_an_endless_body_is_a_413(self, server, way):
        declared = way(POST + b"Content-Length: 9000000000\r\n\r\n")
        assert "bytes" in answered(server.told(declared)).problem(413)

    @pytest.mark.parametrize(
        "piece", [b"1;" + b"x" * 60_000 + b"\r\n1\r\n", b"1\r\n1\r\n" * 10_000], ids=["ext", "tiny"]
    )
    def test_framing_that_is_larger_than_any_body_is_a_413(self, server, piece):
        """Chunks of one byte, or with endless extensions: a small body in very many bytes."""
        with server.connect() as client:
            client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
            said = b""
            try:
                for _ in range(20_000_000 // len(piece)):
                    client.sendall(piece)
            except OSError:
                said = b"closed"
            said = everything(client) or said
        assert said == b"closed" or answered(said).problem(413)

    def test_endless_trailers_end_the_connection(self, server):
        start = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
        said = server.told(start + b"T: x\r\n" * 5000)
        assert answered(said).status in (400, 413)

    def test_requests_in_a_row_are_bounded(self, server, way):
        """One packet may hold thousands; each would take memory until its turn comes."""
        with server.connect() as client:
            client.sendall(way((GET + b"\r\n") * 1000))
            said = everything(client)
        assert 1 <= said.count(b"HTTP/1.1 200") <= 40
        assert said.count(b"connection: close") == 1

    def test_a_few_requests_in_a_row_are_all_answered_in_order(self, server, way):
        many = (
            b"".join(POST + b"Content-Length: 1\r\n\r\n%d" % number for number in range(9))
            + GET
            + b"Connection: close\r\n\r\n"
        )
        found, bodies = answered(server.told(way(many))), []
        while found.rest:
            bodies.append(json.loads(found.body)["body"])
            found = answered(found.rest)
        assert bodies == [str(number) for number in range(9)]


class TestABadNeighbour:
    """What one client does on its connection is nobody else's trouble."""

    def test_an_answer_before_the_whole_body_is_the_last_one(self, server, way):
        """What follows it would be the rest of the body, or another request: nobody can tell."""
        wrong = b"POST /echo HTTP/1.1\r\nContent-Type: text/plain\r\n" + HOST
        said = server.told(way(wrong + b"Content-Length: 60\r\n\r\n"), GET + b"\r\n")
        found = answered(said)
        found.problem(415)
        assert found.rest == b""

    def test_a_broken_request_behind_a_good_one_spoils_only_itself(self, server):
        good = b"GET /wait?seconds=0.3 HTTP/1.1\r\n" + HOST + b"\r\n"
        found = answered(server.told(good + b"nonsense\r\n\r\n"))
        assert found.status == 200
        assert found.rest == b""

    def test_a_broken_request_behind_one_that_waits_for_others_spoils_only_itself(self, server):
        good = gathered(POST) + b"Content-Length: 3\r\n\r\n300"
        found = answered(server.told(good + b"nonsense\r\n\r\n"))
        assert json.loads(found.body)["together"]
        assert found.headers["connection"] == "close"
        assert found.rest == b""

    def test_who_leaves_without_their_answers_spoils_nothing(self, server):
        """Some are there to read it, and some are not."""
        asked = gathered(POST) + b"Content-Length: 1\r\n\r\n0"
        for number in range(40):
            with server.connect() as client:
                client.sendall(asked * (1 + number % 3))
        last = asked.replace(HOST, HOST + b"Connection: close\r\n")
        assert json.loads(answered(server.told(last)).body)["together"]

    def test_expect_is_answered_before_the_body_is_sent(self, server, way):
        with server.connect() as client:
            head = b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
            client.sendall(way(POST + head))
            assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"{}")
            assert json.loads(answered(everything(client)).body)["body"] == "{}"

    def test_the_server_is_as_well_as_before(self, server, way):
        found = answered(server.told(way(GET + b"Connection: close\r\n\r\n")))
        assert found.status == 200
        assert server.process.poll() is None
