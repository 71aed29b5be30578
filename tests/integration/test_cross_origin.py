"""What browsers are told: which pages may call, what may be kept, framed, sniffed and run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import httpx
import pytest
from pydantic import ValidationError

from bare_server import Running, a_bare_server
from flyball.settings import Server

SHOP, EVIL = "https://shop.example", "https://evil.example"
ASKING = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}


@pytest.fixture(scope="module")
def shop() -> Iterator[httpx.Client]:
    """A server that pages of the shop may call."""
    with a_bare_server(settings={"cors_origins": [SHOP]}) as server:
        yield from client_of(server)


@pytest.fixture(scope="module")
def alone() -> Iterator[httpx.Client]:
    """A server as it is by default."""
    with a_bare_server() as server:
        yield from client_of(server)


def client_of(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


class TestPagesOfOtherOrigins:
    """Allowed by list, never with credentials that a browser keeps."""

    def test_in_the_list_may_ask_and_read(self, shop):
        asked = shop.options("/echo", headers={"origin": SHOP, **ASKING})
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == SHOP
        assert "x-api-key" in asked.headers["access-control-allow-headers"]
        answer = shop.get("/echo", headers={"origin": SHOP})
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "origin" in answer.headers["vary"].lower()

    def test_in_the_list_may_read_refusals_too(self, shop):
        answer = shop.get("/nowhere", headers={"origin": SHOP})
        assert answer.status_code == 404
        assert answer.headers["access-control-allow-origin"] == SHOP

    @pytest.mark.parametrize("origin", [EVIL, "null", "https://shop.example.evil.example"])
    def test_outside_it_may_not(self, shop, origin):
        asked = shop.options("/echo", headers={"origin": origin, **ASKING})
        answer = shop.get("/echo", headers={"origin": origin})
        for each in (asked, answer):
            assert "access-control-allow-origin" not in each.headers
        assert asked.status_code == 400
        assert asked.headers["content-type"] == "application/problem+json"

    def test_may_not_by_default(self, alone):
        answer = alone.get("/echo", headers={"origin": SHOP})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert alone.options("/echo", headers={"origin": SHOP, **ASKING}).status_code == 405

    def test_all_may_where_the_list_says_so_but_without_credentials(self):
        with a_bare_server(settings={"cors_origins": ["*"]}) as server:
            answer = httpx.get(f"{server.url}/echo", headers={"origin": EVIL, "cookie": "a=b"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers

    @pytest.mark.parametrize("wrong", ["shop.example", "https://shop.example/", "ftp://x", ""])
    def test_are_written_as_origins(self, wrong):
        with pytest.raises(ValidationError, match="not an origin"):
            Server(cors_origins=[wrong])


class TestEveryAnswer:
    """Also those that refuse."""

    @pytest.mark.parametrize("path", ["/echo", "/nowhere", "/health", "/openapi.json", "/metrics"])
    def test_is_not_sniffed_framed_or_kept(self, alone, path):
        headers = alone.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        assert "strict-transport-security" not in headers

    def test_has_each_header_once(self, alone):
        names = [name for name, _ in alone.get("/echo").headers.raw]
        assert len(names) == len(set(names))

    def test_comes_with_the_time(self, alone):
        assert alone.get("/echo").headers["date"].endswith("GMT")


def test_the_page_of_documentation_still_works_in_a_browser(alone):
    """Under its own, wider policy, which lets it load nothing from elsewhere."""
    sync_api = pytest.importorskip("playwright.sync_api")
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium here")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=switches)
        page = opened.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
        page.goto(f"{alone.base_url}/docs")
        page.click("#operations-health-live_health_live_get", timeout=20_000)
        page.click("text=Try it out")
        page.click("text=Execute")
        page.wait_for_selector("text=Response body", timeout=20_000)
        shown = page.inner_text("body")
        opened.close()
    assert '"status"' in shown
    assert [said for said in complaints if said.startswith("error")] == []
    policy = alone.get("/docs").headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "http" not in policy
