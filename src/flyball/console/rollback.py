"""The rollback button's dialog: what will happen, why, and then what did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from flyball.answers import RolledBack
from flyball.console.views import ModelView
from flyball.console.wording import label
from flyball.errors import FlyballError
from flyball.verbs import Flyball

LONGEST = 500
"""Characters of a reason, as in the control API."""


class RollbackDialog:
    """Asks for a reason and a confirmation, then rolls one model back.

    Args:
        then: awaited after a rollback, to show what changed.
    """

    def __init__(self, flyball: Flyball, model: str, then: Callable[[], Awaitable[None]]) -> None:
        self._flyball, self._model, self._then = flyball, model, then
        with ui.dialog() as self._dialog, ui.card().classes("ask"):
            ui.label(f"Roll back {model}?").classes("ask-title").props("role=heading aria-level=2")
            self._says = ui.label()
            self._reason = ui.textarea("Why (kept in the ledger)").classes("full")
            self._reason.props(f"autofocus outlined autogrow maxlength={LONGEST}")
            self._problem = ui.label().classes("problem").props("role=alert")
            with ui.element("div").classes("ask-buttons"):
                ui.button("Cancel", on_click=self._dialog.close, color=None).props("flat no-caps")
                self._go = ui.button("Roll back", on_click=self._roll_back, color=None)
                self._go.props("unelevated no-caps").classes("go")

    def open(self) -> None:
        """Ask."""
        self._reason.value = ""
        self._say("")
        self._dialog.open()

    def update(self, model: ModelView) -> None:
        """What would be rolled back to what, as of now."""
        if model.champion and model.back_to:
            self._says.text = (
                f"{model.back_to.number} takes over from {model.champion.label.number} for all "
                "requests, within a second. It is loaded already; no request is dropped."
            )

    async def _roll_back(self) -> None:
        reason = (self._reason.value or "").strip()
        if not reason:
            self._say("Say why: whoever reads the ledger later will want to know.")
            return
        self._go.props("loading")
        try:
            done = await run_in_threadpool(self._flyball.rollback, self._model, reason=reason)
        except FlyballError as error:
            self._say(f"{error.title}: {error}")
        else:
            self._dialog.close()
            ui.notify(_told(done), type="positive", position="top", timeout=6000)
        finally:
            self._go.props(remove="loading")
        await self._then()

    def _say(self, problem: str) -> None:
        self._problem.text = problem
        self._problem.set_visibility(bool(problem))


def _told(done: RolledBack) -> str:
    told = f"{label(done.serving).number} serves again instead of {label(done.withdrawn).number}"
    if done.seconds is None:
        return f"{told}, by the record; no worker has confirmed it yet."
    return f"{told}; every worker confirmed it after {done.seconds:.1f} s."
