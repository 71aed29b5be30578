"""A real web server that cuts, lies, stalls and changes its mind, as a test tells it to."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What the server gives at one path; lists are used up one request at a time.

    Attributes:
        content: of the file.
        etag: its name, in quotes; None: none is sent.
        ranges: whether a part may be asked for.
        cuts: after how many bytes of a body the connection is closed; None: not.
        statuses: with which a request is refused; 200: not.
        headers: more of them, with each answer.
        length: what Content-Length claims instead of the truth.
        chunked: without a length, in chunks.
        stalls: whether all but one byte of the body are held back until the server ends.
        then: what the page is from the next request on.
        asked: headers of all requests so far.
    """

    content: bytes = b""
    etag: str | None = '"one"'
    ranges: bool = True
    cuts: list[int | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    chunked: bool = False
    stalls: bool = False
    then: Page | None = None
    asked: list[Mapping[str, str]] = field(default_factory=list)


@dataclass
class Web:
    """A running server.

    Attributes:
        url: without a slash at the end.
        pages: by path; change them as the test goes on.
    """

    url: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def web() -> Iterator[Web]:
    """A server on a free port, until the block ends."""
    site = Web()

    class Handler(_Handler):
        web = site

    server = _Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield site
    finally:
        site.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has had enough is no error of a test."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        page = self.web.pages.get(path)
        if page is None:
            return self._refuse(404)
        page.asked.append(dict(self.headers))
        if page.then is not None:
            page.then.asked = page.asked
            self.web.pages[path] = page.then
        status = page.statuses.pop(0) if page.statuses else 200
        if status != 200:
            return self._refuse(status, page.headers)
        start = self._start(page)
        if start and start >= len(page.content):
            return self._refuse(416, {"Content-Range": f"bytes */{len(page.content)}"})
        return self._give(page, start)

    def _start(self, page: Page) -> int:
        asked = self.headers.get("Range", "")
        fresh = self.headers.get("If-Range") in (None, page.etag)
        return int(asked[6:-1]) if asked and page.ranges and fresh else 0

    def _refuse(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _give(self, page: Page, start: int) -> None:
        body = page.content[start:]
        self.send_response(206 if start else 200)
        headers = dict(page.headers)
        if page.etag is not None:
            headers["ETag"] = page.etag
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(page.content) - 1}/{len(page.content)}"
        if page.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(body) if page.length is None else page.length)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        cut = page.cuts.pop(0) if page.cuts else None
        if page.stalls:
            self.wfile.write(body[:1])
            self.wfile.flush()
            self.web.ended.wait(30)
        self._write(body if cut is None else body[:cut], chunked=page.chunked, whole=cut is None)
        self.close_connection = cut is not None or page.length is not None or page.stalls

    def _write(self, body: bytes, *, chunked: bool, whole: bool) -> None:
        for piece in _pieces(body):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked and whole:
            self.wfile.write(b"0\r\n\r\n")


def _pieces(body: bytes) -> Sequence[bytes]:
    return [body[at : at + 4096] for at in range(0, len(body), 4096)]
