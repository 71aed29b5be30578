"""What the page says of a rollout, and what an operator is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from console_pages import a_status, fact, games

from flyball.answers import Decided
from flyball.console.questions import BUTTONS, decided, ordering
from flyball.console.rendering import Pages
from flyball.console.rollout import rollout_view
from flyball.domain.deployment import WAITS, Phase
from flyball.domain.judging import Judged
from flyball.domain.ledger import chained
from flyball.domain.underway import Order
from flyball.domain.validation import Verdict
from flyball.errors import StaleWrite
from flyball.testing import builders as make
from rollout_records import (
    BEGAN,
    CHALLENGER,
    CHAMPION,
    a_judgement,
    a_rollout,
    a_standing,
    stands,
)

NOW = BEGAN + timedelta(minutes=5)


class TestARollout:
    def test_shows_its_steps_and_the_one_it_is_in(self) -> None:
        view = rollout_view(stands(), NOW)
        assert [(step.share, step.place) for step in view.steps] == [
            ("5%", "past"),
            ("25%", "now"),
            ("50%", "ahead"),
            ("100%", "ahead"),
        ]
        assert view.says == "It answers 25% of the users, 1.1.0 the others."

    def test_says_since_when_and_how_long_it_still_has(self) -> None:
        view = rollout_view(stands(), NOW)
        assert (view.since.ago, view.deadline) == ("5 min ago", "5 h left for this step")

    def test_says_that_its_time_is_over(self) -> None:
        late = BEGAN + timedelta(hours=7)
        assert rollout_view(stands(), late).deadline == "its time for this step is over"

    def test_shows_what_was_judged_in_words_and_colour(self) -> None:
        view = rollout_view(stands(), NOW)
        assert view.seen == "412 answers, 3 errors (0.7%)"
        assert [(part.what, part.verdict, part.tone) for part in view.parts] == [
            ("errors", "fine", "good"),
            ("latency", "open", "plain"),
        ]

    @pytest.mark.parametrize("verdict", list(Verdict))
    def test_has_a_word_for_each_verdict(self, verdict: Verdict) -> None:
        judged = a_standing(judgement=a_judgement(verdict))
        assert rollout_view(stands(standing=judged), NOW).parts[1].verdict

    def test_that_is_held_has_no_deadline_and_says_by_whom(self) -> None:
        view = rollout_view(stands(a_rollout(held="sale"), held_by="operator:ada"), NOW)
        assert (view.keeps, view.deadline) == ("held by operator:ada: sale", "")

    @pytest.mark.parametrize(
        ("phase", "says"),
        [
            (Phase.LOADING, "Workers load and smoke-test it. It has no traffic yet."),
            (Phase.SWITCHING, "It has all traffic. Workers are applying that."),
        ],
    )
    def test_that_loads_or_switches_says_so(self, phase: Phase, says: str) -> None:
        assert rollout_view(stands(a_rollout(phase=phase)), NOW).says == says

    def test_before_the_first_look_claims_nothing(self) -> None:
        view = rollout_view(replace(stands(), standing=None), NOW)
        assert (view.seen, view.judged, view.parts) == ("", None, ())


class TestTheCard:
    def card(self, **fields: Any) -> Any:
        one = a_rollout()
        route = make.a_route(
            slots={"blue": CHAMPION.name, "green": CHALLENGER.name}, challenger_share=0.25
        )
        status = a_status(
            route=route, champion=CHAMPION, deployment=one, rollout=stands(one, **fields)
        )
        return games(status, versions=(CHAMPION, CHALLENGER))

    def test_names_the_challenger_and_offers_no_rollback_to_it(self) -> None:
        card = self.card()
        assert [row.role for row in card.versions.rows] == ["challenger", "champion"]
        assert card.back_to is None
        assert fact(card, "Rollout").detail == "answers 25% of the users"
        assert "Standby" not in [one.name for one in card.facts]

    def test_escapes_what_others_wrote(self) -> None:
        hostile = "<script>alert(1)</script>"
        parts = (Judged(what=hostile, verdict=Verdict.FAIL, detail=hostile),)
        standing = a_standing(judgement=a_judgement(parts=parts))
        card = self.card(standing=standing)
        html = Pages().html("evidence", model=card)
        assert "<script" not in html
        assert html.count("&lt;script&gt;") == 2

    def test_marks_the_step_for_screen_readers_too(self) -> None:
        html = Pages().html("rollout", model=self.card())
        assert html.count('aria-current="step"') == 1

    def test_without_a_rollout_shows_nothing_of_one(self) -> None:
        for part in ("rollout", "evidence"):
            assert Pages().html(part, model=games()).strip() == ""


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"action": "shift", "before": "5%", "after": "25%"}, "shift rollout 3: 5% → 25%"),
        ({"action": "hold", "after": "sale", "reason": "sale"}, "hold rollout 3"),
    ],
)
def test_the_ledger_tells_a_rollouts_story_in_short(fields: dict[str, str], says: str) -> None:
    entry = make.an_entry(**({"subject": "games/3", "before": "", "after": ""} | fields))
    assert games(ledger=[chained(entry, seq=1, previous="0" * 64)]).ledger[0].what == says


class Verbs:
    """Takes decisions, and remembers them; or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[tuple[Order, str, str, str]] = []
        self._error = error

    def __getattr__(self, verb: str) -> Any:
        order = Order(verb)

        def decide(model: str, version: str, *, reason: str) -> Decided:
            self.asked.append((order, model, version, reason))
            if self._error is not None:
                raise self._error
            return Decided(
                order=order, version=CHALLENGER, deployment=a_rollout(), by="ada", reason=reason
            )

        return decide


class TestAQuestion:
    @pytest.mark.parametrize("order", list(BUTTONS))
    def test_names_the_version_and_carries_out_what_it_asks(self, order: Order) -> None:
        verbs = Verbs()
        asked = ordering(verbs, "games", order, rollout_view(stands(), NOW))  # type: ignore[arg-type]
        assert asked.title == f"{order.capitalize()} 1.2.0 of games?"
        assert "1.2.0" in asked.says
        assert "1.2.0" in asked.act("because")
        assert verbs.asked == [(order, "games", CHALLENGER.name, "because")]
        assert asked.grave is (order is Order.ABORT)

    def test_of_somebody_who_came_second_lets_the_error_out(self) -> None:
        verbs = Verbs(StaleWrite("operator:bob was quicker"))
        view = rollout_view(stands(), NOW)
        asked = ordering(verbs, "games", Order.ABORT, view)  # type: ignore[arg-type]
        with pytest.raises(StaleWrite, match="bob was quicker"):
            asked.act("because")

    def test_has_a_button_for_all_that_may_be_decided(self) -> None:
        for held in ("", "sale", WAITS):
            assert set(stands(a_rollout(held=held)).orders) <= set(BUTTONS)

    @pytest.mark.parametrize(
        ("seconds", "says"), [(0.42, "after 0.4 s"), (None, "no worker has confirmed it yet")]
    )
    def test_tells_afterwards_when_the_workers_had_it(
        self, seconds: float | None, says: str
    ) -> None:
        done = Decided(
            order=Order.PROMOTE,
            version=CHALLENGER,
            deployment=a_rollout(),
            by="ada",
            reason="",
            seconds=seconds,
        )
        assert says in decided(done)
