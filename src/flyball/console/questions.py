"""What an operator is asked before a decision, and told after it. The verb does the rest."""

from __future__ import annotations

from collections.abc import Callable

from flyball.answers import Decided, RolledBack
from flyball.console.asking import Question
from flyball.console.rollout import RolloutView
from flyball.console.wording import Label, label
from flyball.domain.underway import Order
from flyball.verbs import Flyball

BUTTONS = {
    Order.APPROVE: "Approve…",
    Order.HOLD: "Hold…",
    Order.RESUME: "Resume…",
    Order.PROMOTE: "Promote…",
    Order.ABORT: "Abort…",
}
"""In the order in which they stand."""


def rolling_back(flyball: Flyball, model: str, back_to: Label, serving: Label) -> Question:
    """The version before shall serve again."""
    return Question(
        title=f"Roll back {model}?",
        says=f"{back_to.number} takes over from {serving.number} for all requests, within a "
        "second. It is loaded already; no request is dropped.",
        go="Roll back",
        grave=True,
        act=lambda reason: rolled_back(flyball.rollback(model, reason=reason)),
    )


def ordering(flyball: Flyball, model: str, order: Order, rollout: RolloutView) -> Question:
    """A decision about a rollout."""
    verbs: dict[Order, Callable[..., Decided]] = {
        Order.APPROVE: flyball.approve,
        Order.HOLD: flyball.hold,
        Order.RESUME: flyball.resume,
        Order.PROMOTE: flyball.promote,
        Order.ABORT: flyball.abort,
    }
    number = rollout.label.number
    others = rollout.beside.number if rollout.beside else "nothing"
    says = {
        Order.APPROVE: f"{number} takes all traffic: the evidence suffices, and it only waits "
        "for somebody's word.",
        Order.HOLD: f"{number} keeps its share of the traffic until somebody resumes it. If it is "
        "shown to do harm, it is withdrawn all the same.",
        Order.RESUME: f"{number} goes on. What was seen so far still counts, and this step has its "
        "whole time again.",
        Order.PROMOTE: f"{number} takes all traffic now, whatever was shown so far. {others} stays "
        "loaded, and the bake watches.",
        Order.ABORT: f"{others} answers everybody again, within a second, and {number} is "
        "withdrawn.",
    }
    return Question(
        title=f"{order.capitalize()} {number} of {model}?",
        says=says[order],
        go=BUTTONS[order].rstrip("…"),
        grave=order is Order.ABORT,
        act=lambda reason: decided(verbs[order](model, rollout.label.name, reason=reason)),
    )


def rolled_back(done: RolledBack) -> str:
    """What a rollback did."""
    told = f"{label(done.serving).number} serves again instead of {label(done.withdrawn).number}"
    return _confirmed(told, done.seconds)


def decided(done: Decided) -> str:
    """What a decision did."""
    number = label(done.version.name).number
    match done.order:
        case Order.PROMOTE:
            return _confirmed(f"{number} takes all traffic", done.seconds)
        case Order.ABORT:
            return _confirmed(f"{number} was withdrawn", done.seconds)
        case Order.HOLD:
            return f"{number} is held."
        case Order.APPROVE:
            return f"{number} is approved for full traffic."
        case _:
            return f"{number} goes on."


def _confirmed(told: str, seconds: float | None) -> str:
    if seconds is None:
        return f"{told}, by the record; no worker has confirmed it yet."
    return f"{told}; every worker confirmed it after {seconds:.1f} s."
