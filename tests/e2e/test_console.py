"""The console as an operator uses it: the real process, a real browser."""

from __future__ import annotations

import csv
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import console_home as homes
from console_home import NEW, OLD
from flyball import Flyball
from flyball.domain.routing import Route
from flyball.domain.training import Run, RunPhase
from flyball.testing import builders as make

CHROMIUM = Path("/usr/bin/chromium")
DEADLINE_S = 120.0
"""For a busy machine; everything is there in seconds on an idle one."""

SEEN_MS = 30_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Control:
    """A running control process."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process, self.url = process, url

    def terminate(self) -> tuple[int, float]:
        """Send SIGTERM; returns the exit code and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_S)
        return code, time.monotonic() - began


@contextmanager
def control(home: Path) -> Iterator[Control]:
    """The real process on a free port, until the end of the block."""
    command = [sys.executable, "-m", "flyball.console", "--home", str(home), "--port", "0"]
    log = home.parent / f"{home.name}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
    try:
        line = first_line(process)
        assert line, f"it ended with {process.wait()}: {log.read_text()}"
        yield Control(process, json.loads(line)["url"])
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(DEADLINE_S)
        assert process.stdout is not None
        process.stdout.close()


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(DEADLINE_S), "it said nothing"
        return os.read(process.stdout.fileno(), 4096)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)  # between two looks at the condition


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, driven by playwright."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the browser tests need the package playwright"
    )
    if not CHROMIUM.exists():
        pytest.skip(f"the browser tests need {CHROMIUM} (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def installed(tmp_path: Path) -> Flyball:
    return homes.furnish(tmp_path / "home")


@pytest.fixture
def console(installed: Flyball) -> Iterator[Control]:
    with control(installed.platform.home) as running:
        yield running


@pytest.fixture
def page(browser: Any, console: Control) -> Iterator[Any]:
    """The console, open on a large screen."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = context.new_page()
    found.set_default_timeout(SEEN_MS)
    found.goto(console.url)
    found.wait_for_selector(".champion .number")
    yield found
    context.close()


def champion(page: Any, number: str) -> None:
    """Wait until the page shows this champion."""
    page.wait_for_function(
        "number => document.querySelector('.champion .number')?.textContent === number", arg=number
    )


class TestAnOpenPage:
    def test_shows_what_serves_and_why(self, page: Any) -> None:
        champion(page, "1.1.0")
        card = page.get_by_role("region", name="games")
        assert "loaded by 1 worker(s)" in card.inner_text()
        assert "1.1.0 baking" in card.inner_text()
        assert "ready to take over" in card.inner_text()
        assert page.locator("table.numbers .serves").inner_text().startswith("1.1.0")

    def test_follows_the_record_without_being_loaded_again(
        self, page: Any, installed: Flyball
    ) -> None:
        page.evaluate("window.sameDocument = true")
        installed.rollback("games", reason="seen from elsewhere")
        champion(page, "1.0.0")
        page.get_by_text("rollback: seen from elsewhere").first.wait_for()
        assert page.evaluate("window.sameDocument")

    def test_follows_live_traffic(self, page: Any, installed: Flyball) -> None:
        installed.platform.events.add_windows(homes.windows(seconds=20))
        row = page.locator(".traffic table tbody tr")
        row.wait_for()
        assert "200" in row.inner_text()
        assert page.locator(".chart canvas").bounding_box()["height"] > 100

    def test_says_what_is_written_and_never_runs_it(self, page: Any, installed: Flyball) -> None:
        hostile = "<img src=x onerror=\"document.title='owned'\">"
        installed.platform.records.commit([], [make.an_entry(reason=hostile)])
        page.locator(".ledger", has_text=hostile).wait_for()
        assert page.locator(".ledger img").count() == 0
        assert page.title() == "Flyball"

    def test_shows_the_validation_report(self, page: Any) -> None:
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Report on 1.1.0").click()
        assert opened.value.get_by_role("heading").inner_text() == "Promoted"


class TestRollingBack:
    def test_changes_the_route_and_says_so(self, page: Any, installed: Flyball) -> None:
        page.get_by_role("button", name="Roll back…").click()
        dialog = page.get_by_role("dialog")
        assert "1.0.0 takes over from 1.1.0" in dialog.inner_text()
        dialog.get_by_role("textbox").fill("players complain")
        dialog.get_by_role("button", name="Roll back").click()
        champion(page, "1.0.0")
        page.get_by_text("1.0.0 serves again instead of 1.1.0").wait_for()
        assert installed.platform.records.get(Route, "games").champion == OLD.name
        assert "players complain" in installed.ledger("games", limit=1)[0].entry.reason
        page.get_by_role("button", name="Roll back…").wait_for(state="hidden")

    def test_wants_to_know_why(self, page: Any, installed: Flyball) -> None:
        page.get_by_role("button", name="Roll back…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Roll back").click()
        dialog.get_by_text("Say why").wait_for()
        assert installed.platform.records.get(Route, "games").champion == NEW.name

    def test_is_done_from_the_keyboard(self, page: Any, installed: Flyball) -> None:
        button = page.get_by_role("button", name="Roll back…")
        for _ in range(10):
            page.keyboard.press("Tab")
            if button.evaluate("element => element === document.activeElement"):
                break
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("textbox").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="hidden")
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("textbox").wait_for()
        page.wait_for_function("document.activeElement.tagName === 'TEXTAREA'")
        page.keyboard.type("by hand")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        champion(page, "1.0.0")


class TestThePage:
    @pytest.mark.parametrize("width", [1280, 390])
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_fits_the_screen_and_asks_nobody_else(
        self, browser: Any, console: Control, installed: Flyball, width: int, scheme: str
    ) -> None:
        homes.worker(installed)
        installed.platform.events.add_windows(homes.windows())
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page, elsewhere, errors = context.new_page(), [], []
        place = console.url.removeprefix("http://")
        page.on("request", lambda r: elsewhere.append(r.url) if place not in r.url else None)
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(console.url)
        page.locator(".chart canvas").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [url for url in elsewhere if not url.startswith(("data:", "blob:"))] == []
        assert errors == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        levels = [int(part) for part in ground.strip("rgb()").split(",")]
        assert (max(levels) < 80) == (scheme == "dark")
        context.close()

    def test_of_an_empty_home_says_what_to_do(self, browser: Any, tmp_path: Path) -> None:
        home = tmp_path / "empty"
        with control(home) as console:
            page = browser.new_page()
            page.goto(console.url)
            command = page.locator(".command").first
            command.wait_for()
            assert command.inner_text() == f"flyball run games purchases.csv --home {home}"
            page.close()

    def test_refuses_the_socket_of_another_page(self, console: Control) -> None:
        path = f"{console.url}/_nicegui_ws/socket.io/?EIO=4&transport=polling"
        answer = httpx.get(path, headers={"origin": "https://evil.example"})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


class TestTheProcess:
    def test_ends_on_sigterm_with_0(self, console: Control) -> None:
        assert httpx.get(f"{console.url}/health/ready").status_code == 200
        code, seconds = console.terminate()
        assert code == 0
        assert seconds < 10

    def test_a_second_one_refuses_and_says_who_holds_the_home(
        self, console: Control, installed: Flyball
    ) -> None:
        home = str(installed.platform.home)
        port = console.url.rpartition(":")[2]
        for place in ("0", port):
            command = [sys.executable, "-m", "flyball.console", "--home", home, "--port", place]
            second = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
            assert second.returncode == 3
            assert second.stdout == ""
            assert f"(process {console.process.pid} on " in second.stderr
            assert len(second.stderr.splitlines()) == 1

    def test_listens_on_loopback_only(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "flyball.console", "--home", str(tmp_path / "home")]
        command += ["--port", "0", "--host", "0.0.0.0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 2
        assert "ssh -L" in done.stderr
        assert "Traceback" not in done.stderr

    def test_ends_while_a_model_is_trained_and_goes_on_later(self, tmp_path: Path) -> None:
        home, source = tmp_path / "home", tmp_path / "players.csv"
        with source.open("w", newline="") as file:
            rows = csv.writer(file)
            for player in range(600):
                for game in range(player % 7, 60, 5 + player % 3):
                    rows.writerow([player, f"Game {game}", "purchase", 1.0, 0])
        flyball = Flyball(home=home)
        with control(home) as running:
            flyball.run("games", [str(source)], wait=False)
            wait_until(lambda: runs(flyball) == [RunPhase.SEARCHING], "a run that searches")
            code, seconds = running.terminate()
        assert code == 0
        assert seconds < 10
        assert runs(flyball) == [RunPhase.SEARCHING]
        with control(home):
            wait_until(lambda: runs(flyball) == [RunPhase.DONE], "the same run, done")


def runs(flyball: Flyball) -> list[RunPhase]:
    return [run.phase for run in flyball.platform.records.find(Run, model="games")]
