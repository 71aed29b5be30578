"""The dialog of a decision: what will happen, why, and then what did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui
from starlette.concurrency import run_in_threadpool

from flyball.errors import FlyballError

LONGEST = 500
"""Characters of a reason, as in the control API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an operator is asked to confirm.

    Attributes:
        title: what it is about.
        says: what will happen.
        go: on the button that confirms.
        grave: whether that button is a warning.
        act: does it, for a reason; returns what to say afterwards. Called in a thread.
    """

    title: str
    says: str
    go: str
    act: Callable[[str], str]
    grave: bool = False


class Dialog:
    """Asks for a reason and a confirmation, then acts.

    Args:
        then: awaited afterwards, also where it could not be done, to show what changed.
    """

    def __init__(self, then: Callable[[], Awaitable[None]]) -> None:
        self._then, self._question = then, None
        with ui.dialog() as self._dialog, ui.card().classes("ask"):
            self._title = ui.label().classes("ask-title").props("role=heading aria-level=2")
            self._says = ui.label()
            self._reason = ui.textarea("Why (kept in the ledger)").classes("full")
            self._reason.props(f"autofocus outlined autogrow maxlength={LONGEST}")
            self._problem = ui.label().classes("problem").props("role=alert")
            with ui.element("div").classes("ask-buttons"):
                ui.button("Cancel", on_click=self._dialog.close, color=None).props("flat no-caps")
                self._go = ui.button("", on_click=self._act, color=None)
                self._go.props("unelevated no-caps").classes("go")

    _question: Question | None

    def ask(self, question: Question) -> None:
        """Ask this."""
        self._question = question
        self._title.text, self._says.text = question.title, question.says
        self._go.text = question.go
        self._go.classes(add="grave" if question.grave else "", remove="grave")
        self._reason.value = ""
        self._say("")
        self._dialog.open()

    async def _act(self) -> None:
        assert self._question is not None
        reason = (self._reason.value or "").strip()
        if not reason:
            self._say("Say why: whoever reads the ledger later will want to know.")
            return
        self._go.props("loading")
        try:
            told = await run_in_threadpool(self._question.act, reason)
        except FlyballError as error:
            self._say(f"{error.title}: {error}")
        else:
            self._dialog.close()
            ui.notify(told, type="positive", position="top", timeout=6000)
        finally:
            self._go.props(remove="loading")
        await self._then()

    def _say(self, problem: str) -> None:
        self._problem.text = problem
        self._problem.set_visibility(bool(problem))
