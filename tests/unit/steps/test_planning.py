"""Planning a rollout from what was recorded: read from real stores, made by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from flyball import Flyball
from flyball.configuration import load
from flyball.domain.traffic import EventType
from flyball.errors import ConfigurationError, InvalidRequest
from flyball.steps.habits import habits
from flyball.testing.builders import MODEL, a_list, a_version, a_window, an_event

MINUTES = 20
PLAYERS = 50


class Shop:
    """An installation with twenty minutes of recorded traffic, until a minute ago."""

    def __init__(self, home: Path) -> None:
        self.verbs = Flyball(config=load(home, environ={}), actor="test")
        self.platform = self.verbs.platform
        self.now = self.platform.clock.now()
        self.began = self.now - timedelta(minutes=MINUTES + 1)
        self._shown = 0

    def serves(self, requests: int, errors: int = 0, *, clicks: int = 0) -> None:
        """So many requests a minute, failing and clicked on so often."""
        events = self.platform.events
        events.add_windows(
            [
                a_window(
                    requests,
                    errors,
                    start=self.began + timedelta(minutes=minute),
                    seconds=60.0,
                    feedback={"click": clicks},
                )
                for minute in range(MINUTES)
            ]
        )

    def shows(self, user: str, minute: float) -> str:
        """A list, shown to a user (nobody: empty); gives the answer's id."""
        at = self.began + timedelta(minutes=minute)
        at_ms = int(at.timestamp() * 1000)
        answers = self.platform.answers(MODEL)
        self._shown += 1
        answer = answers.new(a_version().name, at_ms, f"{self._shown:010x}")
        self.platform.served.append([a_list(answer, shown_at=at_ms, user_id=user)])
        return answer

    def clicks(self, user: str, answer: str, minute: float) -> None:
        """A click on it."""
        at = self.began + timedelta(minutes=minute)
        event = an_event(
            f"{user}-{minute}", type=EventType.CLICK, user_id=user, recommendation_id=answer,
            received_at=at, timestamp=at,
        )  # fmt: skip
        self.platform.events.append([event])

    def habits(self, within: timedelta = timedelta(hours=24)):
        return habits(
            MODEL,
            now=self.now,
            within=within,
            events=self.platform.events,
            served=self.platform.served,
            answers=self.platform.answers(MODEL),
        )


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path / "home")
    yield made
    made.verbs.close()


class TestHabits:
    def test_are_rates_over_the_recorded_stretch(self, shop):
        shop.serves(600, 6)
        found = shop.habits()
        assert found.requests == 600 * MINUTES
        assert found.asking.per_second == pytest.approx(10.0)
        assert found.error_share == pytest.approx(0.01, rel=0.01)

    def test_take_each_request_for_another_user_where_no_list_is_kept(self, shop):
        shop.serves(600)
        found = shop.habits()
        assert found.asking.by(60.0) == pytest.approx(600.0)
        assert "who asks is not recorded" in found.assumed[0]

    def test_count_users_once_however_often_they_ask(self, shop):
        shop.serves(PLAYERS)
        for minute in range(MINUTES):
            for player in range(PLAYERS):
                shop.shows(f"player-{player}", minute + 0.5)
        found = shop.habits()
        assert found.assumed == ()
        assert found.asking.by(24 * 3600.0) == pytest.approx(PLAYERS, rel=0.01)
        assert found.lists == PLAYERS * MINUTES

    def test_count_only_clicks_on_answers_of_ours(self, shop):
        shop.serves(60, clicks=1)
        for player in range(10):
            shop.clicks(f"player-{player}", shop.shows(f"player-{player}", 3.0), 4.0)
        shop.clicks("player-11", "forged.1.0.0-0123abcd-89ef4567", 4.0)
        found = shop.habits()
        assert found.events == 10
        assert found.clicking.per_second == pytest.approx(10 / (MINUTES * 60.0))

    def test_are_unknown_without_traffic_or_with_traffic_of_long_ago(self, shop):
        assert shop.habits().requests == 0
        shop.serves(600)
        assert shop.habits(within=timedelta(seconds=30)).requests == 0

    def test_nobody_is_taken_to_never_fail(self, shop):
        shop.serves(5)
        assert 0.0 < shop.habits().error_share < 0.01


class TestAPlan:
    def test_tells_of_each_step_below_full_traffic(self, shop):
        shop.serves(600, 6)
        found = shop.verbs.plan(MODEL)
        assert [step.share for step in found.steps] == [0.05, 0.25, 0.5]
        assert found.requests_per_second == pytest.approx(10.0)
        assert found.steps[0].requests_per_second == pytest.approx(0.5)
        assert found.advice == ()

    def test_without_traffic_says_so_and_what_to_do(self, shop):
        found = shop.verbs.plan(MODEL)
        assert (found.steps, found.requests_per_second) == ((), 0.0)
        assert "--requests-per-second" in found.advice[0]

    def test_without_traffic_can_be_asked_for_an_amount_and_says_what_it_took(self, shop):
        found = shop.verbs.plan(MODEL, requests_per_second=40.0)
        assert found.requests_per_second == pytest.approx(40.0)
        assert len(found.steps) == 3
        assert sum("nothing was recorded" in said for said in found.habits.assumed) == 2

    def test_for_another_amount_keeps_the_recorded_habits(self, shop):
        shop.serves(600, 6)
        found = shop.verbs.plan(MODEL, requests_per_second=1.0)
        assert found.requests_per_second == pytest.approx(1.0)
        assert found.habits.errors == 6 * MINUTES
        slower = found.steps[0].harms[0]
        quicker = shop.verbs.plan(MODEL).steps[0].harms[0]
        assert (slower.seconds or 1e9) >= (quicker.seconds or 1e9)

    def test_names_the_step_that_cannot_be_decided_in_time_and_what_could(self, shop):
        found = shop.verbs.plan(MODEL, requests_per_second=0.02)
        assert not found.steps[0].within_deadline
        assert any("5%" in said and "6h" in said for said in found.advice)

    @pytest.mark.parametrize("rate", [0.0, -3.0, float("nan"), float("inf")])
    def test_of_no_amount_is_refused(self, shop, rate):
        with pytest.raises(InvalidRequest, match="above 0"):
            shop.verbs.plan(MODEL, requests_per_second=rate)

    def test_of_an_unknown_model_is_refused(self, shop):
        with pytest.raises(ConfigurationError, match="gamess"):
            shop.verbs.plan("gamess")
