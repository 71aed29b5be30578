"""The console as an operator uses it: the real process, a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import console_home as homes
from console_home import NEW, OLD, TRIED
from console_process import Control, control
from flyball import Flyball
from flyball.domain.deployment import WAITS, Deployment, Phase
from flyball.domain.routing import Route
from flyball.testing import builders as make

CHROMIUM = Path("/usr/bin/chromium")
SEEN_MS = 60_000
MODELS = (*(f"shop{number}" for number in range(1, 22)), "untouched")
"""One for each test that uses its history, and one that is left alone."""

pytestmark = pytest.mark.xdist_group("console")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Flyball:
    """A home whose configuration names a model for each test, all of them still empty."""
    home = tmp_path_factory.mktemp("console") / "home"
    home.mkdir()
    (home / "flyball.toml").write_text("".join(f"[models.{model}]\n" for model in MODELS))
    return homes.flyball(home, MODELS)


@pytest.fixture(scope="module")
def console(installed: Flyball) -> Iterator[Control]:
    """One process for all tests that leave it running: it takes seconds to start."""
    with control(installed.platform.home) as running:
        yield running


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return iter(MODELS)


@pytest.fixture
def model(installed: Flyball, names: Iterator[str]) -> str:
    """A model of this test's own, with a history."""
    name = next(names)
    homes.furnish(installed, name)
    return name


@pytest.fixture
def page(browser: Any, console: Control, model: str) -> Iterator[Any]:
    """The console, open on a large screen."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = context.new_page()
    found.set_default_timeout(SEEN_MS)
    found.goto(console.url)
    yield found
    context.close()


@pytest.fixture
def card(page: Any, model: str) -> Any:
    """The part of the page that is about this test's model."""
    found = page.get_by_role("region", name=model, exact=True)
    champion(found, "1.1.0")
    return found


def champion(card: Any, number: str) -> None:
    """Wait until the card shows this champion."""
    card.locator(".champion .number", has_text=number).wait_for()


class TestAnOpenPage:
    """It says what is, and follows it."""

    def test_shows_what_serves_and_why(self, card: Any) -> None:
        text = card.inner_text()
        assert "loaded by 1 worker" in text
        assert "1.1.0 baking" in text
        assert "ready to take over" in text
        assert card.locator("tr.serves").inner_text().startswith("1.1.0")

    def test_follows_the_record_without_being_loaded_again(
        self, page: Any, card: Any, installed: Flyball, model: str
    ) -> None:
        page.evaluate("window.sameDocument = true")
        installed.rollback(model, reason="seen from elsewhere")
        champion(card, "1.0.0")
        card.get_by_text("rollback: seen from elsewhere").first.wait_for()
        assert page.evaluate("window.sameDocument")

    def test_follows_live_traffic(self, card: Any, installed: Flyball, model: str) -> None:
        installed.platform.events.add_windows(homes.windows(model, seconds=20))
        row = card.locator(".traffic table tbody tr")
        row.wait_for()
        assert "200" in row.inner_text()
        card.locator(".chart canvas").wait_for()

    def test_says_what_is_written_and_never_runs_it(
        self, page: Any, card: Any, installed: Flyball, model: str
    ) -> None:
        hostile = "<img src=x onerror=\"document.title='owned'\">"
        installed.platform.records.commit([], [make.an_entry(model=model, reason=hostile)])
        card.locator("ol.ledger", has_text=hostile).wait_for()
        assert card.locator(".ledger img").count() == 0
        assert page.title() == "Flyball"

    def test_shows_the_validation_report(self, page: Any, card: Any) -> None:
        with page.context.expect_page() as opened:
            card.get_by_role("link", name="Report on 1.1.0").click()
        assert opened.value.get_by_role("heading").inner_text() == "Promoted"


class TestRollingBack:
    """The version before comes back, from the page."""

    def test_changes_the_route_and_says_so(
        self, page: Any, card: Any, installed: Flyball, model: str
    ) -> None:
        button = card.get_by_role("button", name="Roll back…")
        button.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("1.0.0 takes over from 1.1.0").wait_for()
        dialog.get_by_role("textbox").fill("players complain")
        dialog.get_by_role("button", name="Roll back").click()
        champion(card, "1.0.0")
        page.get_by_text("1.0.0 serves again instead of 1.1.0").wait_for()
        assert installed.platform.records.get(Route, model).champion == OLD.name
        reasons = [row.entry.reason for row in installed.ledger(model)]
        assert "rollback: players complain" in reasons
        button.wait_for(state="hidden")

    def test_wants_to_know_why(self, page: Any, card: Any, installed: Flyball, model: str) -> None:
        card.get_by_role("button", name="Roll back…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Roll back").click()
        dialog.get_by_text("Say why").wait_for()
        assert installed.platform.records.get(Route, model).champion == NEW.name

    def test_is_done_from_the_keyboard(self, page: Any, card: Any) -> None:
        button = card.get_by_role("button", name="Roll back…")
        for _ in range(200):
            page.keyboard.press("Tab")
            if button.evaluate("element => element === document.activeElement"):
                break
        page.keyboard.press("Enter")
        text = page.get_by_role("dialog").get_by_role("textbox")
        text.wait_for()
        page.keyboard.press("Escape")
        text.wait_for(state="hidden")
        button.focus()
        page.keyboard.press("Enter")
        text.wait_for()
        page.wait_for_function("document.activeElement.tagName === 'TEXTAREA'")
        page.keyboard.type("by hand")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        champion(card, "1.0.0")


class TestARollout:
    """It is shown step by step, and an operator decides about it from the page."""

    @pytest.fixture
    def rolling(self, card: Any, installed: Flyball, model: str) -> Deployment:
        """A rollout that the open card shows."""
        one = homes.roll(installed, model)
        card.get_by_text("Rollout of 1.2.0").wait_for()
        return one

    def decide(self, page: Any, card: Any, button: str, go: str, reason: str) -> None:
        card.get_by_role("button", name=button).click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("textbox").fill(reason)
        dialog.get_by_role("button", name=go, exact=True).click()

    def test_shows_its_steps_and_what_may_be_decided(self, card: Any, rolling: Deployment) -> None:
        assert card.locator(".steps li").all_inner_texts() == ["5%", "25%", "50%", "100%"]
        assert card.locator(".steps [aria-current=step]").inner_text() == "25%"
        buttons = card.locator(".orders").get_by_role("button")
        assert [text for text in buttons.all_inner_texts() if text] == [
            "Hold…",
            "Promote…",
            "Abort…",
        ]
        assert "It answers 25% of the users, 1.1.0 the others." in card.inner_text()

    def test_is_held_and_resumed(
        self, page: Any, card: Any, installed: Flyball, rolling: Deployment
    ) -> None:
        self.decide(page, card, "Hold…", "Hold", "sale at noon")
        card.get_by_text("sale at noon").first.wait_for()
        card.get_by_role("button", name="Resume…").wait_for()
        records = installed.platform.records
        assert records.get(Deployment, rolling.id).held == "sale at noon"
        self.decide(page, card, "Resume…", "Resume", "it is over")
        card.get_by_role("button", name="Hold…").wait_for()
        assert records.get(Deployment, rolling.id).held == ""

    def test_is_aborted_and_leaves_the_card(
        self, page: Any, card: Any, installed: Flyball, rolling: Deployment
    ) -> None:
        self.decide(page, card, "Abort…", "Abort", "odd covers")
        card.get_by_text("Rollout of 1.2.0").wait_for(state="hidden")
        found = installed.platform.records.get(Deployment, rolling.id)
        assert (found.phase, found.detail) == (Phase.ROLLED_BACK, "odd covers")
        page.get_by_text("1.2.0 was withdrawn").wait_for()

    def test_that_waits_for_approval_is_approved(
        self, page: Any, card: Any, installed: Flyball, model: str
    ) -> None:
        one = homes.roll(installed, model, held=WAITS)
        card.get_by_text("waits for somebody to approve full traffic").wait_for()
        self.decide(page, card, "Approve…", "Approve", "lists look right")
        card.get_by_role("button", name="Approve…").wait_for(state="hidden")
        approved = installed.platform.records.get(Deployment, one.id).approved_by
        assert approved.startswith("operator:")

    def test_decided_elsewhere_first_is_said_and_not_done_twice(
        self, page: Any, card: Any, installed: Flyball, model: str, rolling: Deployment
    ) -> None:
        card.get_by_role("button", name="Promote…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("textbox").fill("looks good")
        installed.abort(model, TRIED.name, reason="odd covers")
        dialog.get_by_role("button", name="Promote", exact=True).click()
        dialog.get_by_text("rolled back").wait_for()
        assert installed.platform.records.get(Route, model).champion == NEW.name

    @pytest.mark.parametrize("width", [1280, 390])
    def test_fits_the_screen(
        self, browser: Any, console: Control, installed: Flyball, model: str, width: int
    ) -> None:
        homes.roll(installed, model, held="a long reason " * 12)
        context = browser.new_context(viewport={"width": width, "height": 844})
        page = context.new_page()
        page.goto(console.url)
        region = page.get_by_role("region", name=model, exact=True)
        region.get_by_text("Rollout of 1.2.0").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        context.close()


class TestThePage:
    """It fits, it keeps to itself, and it helps whoever has nothing yet."""

    @pytest.mark.parametrize("width", [1280, 390])
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_fits_the_screen_and_asks_nobody_else(
        self,
        browser: Any,
        console: Control,
        installed: Flyball,
        model: str,
        width: int,
        scheme: str,
    ) -> None:
        installed.platform.events.add_windows(homes.windows(model))
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page, asked, errors = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 - it marks it
        page.goto(console.url)
        page.get_by_role("region", name=model, exact=True).locator(".chart canvas").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [url for url in asked if not url.startswith((console.url, "data:", "blob:"))] == []
        assert errors == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        levels = [int(part) for part in ground.strip("rgb()").split(",")]
        assert (max(levels) < 80) == (scheme == "dark")
        context.close()

    def test_says_what_to_do_about_a_model_without_data(
        self, browser: Any, console: Control, installed: Flyball
    ) -> None:
        page = browser.new_page()
        page.goto(console.url)
        command = page.get_by_role("region", name="untouched").locator(".command").first
        command.wait_for()
        home = installed.platform.home
        assert command.inner_text() == f"flyball run untouched purchases.csv --home {home}"
        page.close()

    def test_refuses_the_socket_of_another_page(self, console: Control) -> None:
        path = f"{console.url}/_nicegui_ws/socket.io/?EIO=4&transport=polling"
        answer = httpx.get(path, headers={"origin": "https://evil.example"})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
