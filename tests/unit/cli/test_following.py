"""``flyball deploy`` follows the rollout, and ``flyball status`` shows it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cli_shop import a_status, a_turn
from rich.console import Console
from rich.live import Live

from flyball.answers import Deployed
from flyball.cli.following import Picture
from flyball.domain.deployment import WAITS, Phase, Shift
from flyball.domain.judging import Seen
from flyball.domain.validation import Verdict
from rollout_records import BEGAN, CHALLENGER, CHAMPION, a_judgement, a_rollout, a_standing, stands

BEGUN = Deployed(deployment=a_rollout(), new=True)
BAKES = stands(a_rollout(phase=Phase.BAKING))
WITHDRAWN = stands(a_rollout(phase=Phase.ROLLED_BACK, detail="errors: 30 of 412 failed"))
PASSED = stands(standing=a_standing(judgement=a_judgement(Verdict.PASS)))


class TestFollowing:
    def test_tells_each_step_each_verdict_and_ends_with_the_bake(self, shop):
        held = stands(a_rollout(held="sale at noon"), held_by="operator:ada")
        shop.answers.update(deploy=BEGUN, follow=[stands(), stands(), held, PASSED, BAKES])
        ended = shop("deploy", "games", "1.2.0")
        assert ended.code == 0
        assert ended.err.splitlines()[3:] == [
            "step 2 of 4: 25% of the users",
            "  errors pass: 3 of 412 answers failed; at most 1%",
            "  held by operator:ada: sale at noon",
            "  goes on",
            "  latency pass: slow for 20 users of 400, 19 expected",
            "  412 requests, 3 errors (0.73%); latency is open: slow for 20 users of 400",
            "all traffic; it bakes",
        ]
        assert f"{CHALLENGER.name} serves instead of {CHAMPION.name} (baking)" in ended.out

    def test_exits_with_1_and_the_reason_where_it_is_withdrawn(self, shop):
        shop.answers.update(deploy=BEGUN, follow=[stands(), WITHDRAWN])
        ended = shop("deploy", "games", "1.2.0")
        assert ended.code == 1
        assert "rolled back: errors: 30 of 412 failed" in ended.err
        assert "errors: 30 of 412 failed" in ended.out

    def test_tells_a_log_every_half_minute_what_is_shown_so_far(self, shop):
        looks = [
            stands(
                standing=a_standing(
                    at=BEGAN + timedelta(seconds=second), seen=Seen(requests=100 + second)
                )
            )
            for second in range(0, 70, 5)
        ]
        shop.answers.update(deploy=BEGUN, follow=[*looks, BAKES])
        told = [
            line for line in shop("deploy", "games", "1.2.0").err.splitlines() if "reques" in line
        ]
        assert [line.split(" requests")[0].strip() for line in told] == ["130", "160", "412"]

    def test_tells_a_verdict_once_and_of_each_step_how_it_ended(self, shop):
        passed = a_judgement(Verdict.PASS, reason="nothing is worse")
        left = a_standing(judgement=passed, seen=Seen(requests=900))
        again = Shift(share=0.5, at=BEGAN, applied_at=BEGAN)
        third = a_rollout(shifts=(*a_rollout().shifts, again))
        looks = [stands(), stands(third, left), stands(third, replace(left, share=0.5)), BAKES]
        shop.answers.update(deploy=BEGUN, follow=looks)
        told = shop("deploy", "games", "1.2.0").err
        assert "  900 requests, 0 errors; nothing is worse\nstep 3 of 4: 50% of the users" in told
        assert told.count("errors pass:") == 1
        assert told.count("latency pass:") == 1

    def test_leaves_a_rollout_that_nobody_goes_on_with(self, shop):
        shop.answers["deploy"] = replace(BEGUN, followed=False)
        ended = shop("deploy", "games", "1.2.0")
        assert ended.code == 0
        assert "nobody judges it" in ended.out
        assert f"flyball promote games {CHALLENGER.name}" in ended.out
        assert [verb for verb, _, _ in shop.verbs.asked] == ["deploy"]

    def test_is_left_out_where_nobody_waits(self, shop):
        shop.answers["hand_over"] = "deploy-0123"
        ended = shop("deploy", "games", "1.2.0", "--no-wait", "--json")
        assert ended.json == {"workflow": "deploy-0123"}

    @pytest.mark.parametrize("strategy", ["canary", "blue-green"])
    def test_takes_the_strategy_that_was_asked_for(self, shop, strategy):
        shop.answers.update(deploy=BEGUN, follow=[BAKES])
        shop("deploy", "games", "1.2.0", "--strategy", strategy)
        assert shop.verbs.asked[0] == ("deploy", ("games", "1.2.0"), {"strategy": strategy})

    def test_answers_in_json_with_the_end_of_it(self, shop):
        shop.answers.update(deploy=BEGUN, follow=[stands(), BAKES])
        assert shop("deploy", "games", "1.2.0", "--json").json["deployment"]["phase"] == "baking"


def test_a_terminal_shows_the_rollout_as_it_stands():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        tell = Picture(live)
        for found in (stands(), stands(a_rollout(held="sale at noon")), WITHDRAWN):
            tell(found)
    drawn = screen.getvalue()
    assert "[25%]" in drawn
    assert drawn.index("3 of 412 answers failed") < drawn.index("held: sale at noon")
    assert drawn.rindex("rolled back: errors: 30 of 412 failed") > drawn.index("held")


def test_a_turn_that_begins_a_rollout_is_a_success_and_says_how_to_follow(shop):
    shop.answers["run"] = a_turn(deployed=BEGUN)
    ended = shop("run", "games", "a.csv")
    assert ended.code == 0
    assert f"{CHALLENGER.name} answers 25% of the users" in ended.out
    assert "`flyball status games`" in ended.out


class TestStatus:
    def shown(self, shop, *arguments: str, **fields) -> str:
        [model] = a_status().models
        one = fields.pop("deployment", a_rollout())
        rolling = replace(model, deployment=one, rollout=stands(one, **fields))
        shop.answers["status"] = a_status(models=(rolling,), home=Path("/srv/shop"))
        ended = shop("status", *arguments)
        assert ended.code == 0
        assert max(map(len, ended.out.splitlines())) <= 100
        return " ".join(ended.out.split())

    def test_of_a_model_shows_step_share_counts_sentences_and_deadline(self, shop):
        said = self.shown(shop, "games")
        for part in (
            "2 of 4: 25% of the users",
            "5% > [25%] > 50% > 100%",
            "412 requests, 3 errors (0.73%)",
            "errors pass: 3 of 412 answers failed",
            "latency inconclusive: slow for 20 users",
            "2026-03-01 18:10 UTC for this step",
        ):
            assert part in said

    def test_of_a_model_says_who_holds_it_and_the_way_on(self, shop):
        held = a_rollout(held="sale at noon")
        said = self.shown(shop, "games", deployment=held, held_by="operator:ada")
        assert "held by operator:ada: sale at noon" in said
        assert f"`flyball resume games {CHALLENGER.name}`" in said
        assert "UTC for this step" not in said

    def test_of_a_model_says_that_it_waits_for_approval(self, shop):
        said = self.shown(shop, "games", deployment=a_rollout(held=WAITS))
        assert "waits for somebody to approve" in said
        assert f"`flyball approve games {CHALLENGER.name}`" in said

    def test_of_all_models_shows_the_step_in_a_line(self, shop):
        said = self.shown(shop, deployment=a_rollout(held="sale at noon"), held_by="operator:ada")
        assert "1.2.0 rolling at 25% (step 2 of 4)" in said
        assert "held by operator:ada" in said
