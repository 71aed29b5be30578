"""The commands with which an operator decides, as they answer."""

from __future__ import annotations

import pytest

from flyball.answers import Decided
from flyball.domain.canonical import plain
from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import State
from flyball.domain.underway import Order
from flyball.errors import DeploymentError, IllegalTransition, StaleWrite
from rollout_records import CHALLENGER, CHAMPION, a_rollout

ORDERS = [str(order) for order in Order]


def done(order: Order, **fields) -> Decided:
    defaults = {
        "order": order,
        "version": CHALLENGER,
        "deployment": a_rollout(),
        "by": "operator:ada",
        "reason": "sale at noon",
    }
    return Decided(**(defaults | fields))


@pytest.mark.parametrize("order", ORDERS)
def test_each_takes_a_version_and_a_reason(shop, order):
    shop.answers[order] = done(Order(order))
    ended = shop(order, "games", "1.2.0", "--reason", "sale at noon")
    assert ended.code == 0
    assert shop.verbs.asked == [(order, ("games", "1.2.0"), {"reason": "sale at noon"})]
    assert CHALLENGER.name in ended.out
    assert "because: sale at noon" in ended.out


@pytest.mark.parametrize("order", ORDERS)
def test_each_answers_with_its_value_as_json(shop, order):
    shop.answers[order] = done(Order(order))
    assert shop(order, "games", "1.2.0", "--json").json == plain(done(Order(order)))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("error", "code"), [(DeploymentError, 1), (StaleWrite, 1), (IllegalTransition, 2)]
)
def test_what_cannot_be_is_one_line_and_its_exit_code(shop, order, error, code):
    shop.answers[order] = error("operator:bob was quicker: abort of games/3")
    ended = shop(order, "games", "1.2.0")
    assert ended.code == code
    assert ended.err == f"{error.title}: operator:bob was quicker: abort of games/3\n"


def test_who_holds_is_told_the_way_on(shop):
    shop.answers["hold"] = done(Order.HOLD)
    said = shop("hold", "games", "1.2.0").out
    assert "is held at 25% of the users" in said
    assert f"`flyball resume games {CHALLENGER.name}`" in said


@pytest.mark.parametrize(
    ("seconds", "says"), [(0.42, "within 0.4 s"), (None, "no worker has confirmed it yet")]
)
@pytest.mark.parametrize("order", [Order.PROMOTE, Order.ABORT])
def test_what_moves_traffic_says_when_the_workers_had_it(shop, order, seconds, says):
    shop.answers[order] = done(order, seconds=seconds)
    assert says in shop(order, "games", "1.2.0").out


def test_an_end_before_any_traffic_waits_for_nobody(shop):
    failed = a_rollout(phase=Phase.FAILED, shifts=())
    shop.answers["abort"] = done(Order.ABORT, deployment=failed)
    said = shop("abort", "games", "1.2.0").out
    assert f"{CHAMPION.name} answers everybody" in said
    assert "confirmed" not in said


def test_an_archived_version_says_so(shop):
    from dataclasses import replace

    archived = replace(CHALLENGER, state=State.ARCHIVED)
    shop.answers["archive"] = done(Order.ARCHIVE, version=archived, deployment=None)
    assert f"{CHALLENGER.id} is archived" in shop("archive", "games", "1.2.0").out
