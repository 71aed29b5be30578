"""The operator's page: NiceGUI around the views. Every asset comes from the installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from nicegui import ui

from flyball.console import chart
from flyball.console.asking import Dialog
from flyball.console.questions import BUTTONS, ordering, rolling_back
from flyball.console.rendering import Pages, stylesheet
from flyball.console.views import ModelView, PageView
from flyball.console.watch import Watch
from flyball.domain.underway import Order
from flyball.errors import FlyballError
from flyball.verbs import Flyball

EVERY_S = 1.5
"""Seconds between two looks."""

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><g fill="none" stroke="#3b82c4" '
    'stroke-width="2.5"><path d="M16 3v26M16 6 7 17M16 6l9 11M7 17l9 8M25 17l-9 8"/></g>'
    '<g fill="#3b82c4"><circle cx="7" cy="17" r="4"/><circle cx="25" cy="17" r="4"/></g></svg>'
)
"""A flyball governor."""


def add_page(app: FastAPI, flyball: Flyball) -> None:
    """Mount the page at ``/`` of the control API."""
    watch, pages, style = Watch(flyball), Pages(), stylesheet()

    @ui.page("/", title="Flyball", favicon=ICON, dark=None)
    async def index() -> None:
        ui.add_css(style)
        shown = Console(flyball, watch, pages)
        try:
            shown.update(await watch.view())
        except FlyballError as error:
            shown.fail(error)
        ui.timer(EVERY_S, shown.refresh, immediate=False)

    ui.run_with(
        app,
        title="Flyball",
        dark=None,
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
    )


class Console:
    """One open page. Parts whose text did not change are not sent again, so nothing flickers."""

    def __init__(self, flyball: Flyball, watch: Watch, pages: Pages) -> None:
        self._flyball, self._watch, self._pages = flyball, watch, pages
        self._cards: dict[str, ModelCard] = {}
        ui.link("Skip to content", "#main").classes("skip")
        with ui.element("header").classes("top"):
            ui.html(f"{ICON}<span>Flyball</span>", sanitize=False, tag="h1")
            self._header = _html("top-facts")
        self._main = ui.element("main").props("id=main")
        with self._main:
            self._models = ui.element("div")
            self._workers = _html("card workers", tag="section")

    async def refresh(self) -> None:
        """Look again."""
        try:
            self.update(await self._watch.view())
        except FlyballError as error:
            self.fail(error)

    def update(self, page: PageView) -> None:
        """Show this."""
        self._header.content = self._pages.html("header", page=page)
        self._workers.content = self._pages.html("workers", page=page)
        for model in page.models:
            if model.name not in self._cards:
                with self._models:
                    dialog = Dialog(self._now)
                    card = ModelCard(model, self._pages, self._flyball, dialog)
                    self._cards[model.name] = card
            self._cards[model.name].update(model)

    def fail(self, error: FlyballError) -> None:
        """Show why nothing can be shown."""
        empty = PageView(
            home=str(self._flyball.platform.home),
            control=None,
            models=(),
            workers=(),
            problem=f"{error.title}: {error}",
        )
        self._header.content = self._pages.html("header", page=empty)

    async def _now(self) -> None:
        self._watch.forget()
        await self.refresh()


class ModelCard:
    """One model's part of the page."""

    def __init__(self, model: ModelView, pages: Pages, flyball: Flyball, dialog: Dialog) -> None:
        self._model, self._pages, self._flyball, self._dialog = model, pages, flyball, dialog
        self._html: dict[str, ui.html] = {}
        self._drawn: Mapping[str, Any] | None = None
        with ui.element("section").classes("card model").props(f'aria-label="{model.name}"'):
            with ui.element("div").classes("title"):
                ui.label(model.name).props("role=heading aria-level=2").classes("name")
                self._subtitle = ui.label().classes("soft")
                self._button = ui.button("Roll back…", on_click=self._roll_back, color=None)
                self._button.props("outline no-caps dense").classes("grave rollback")
            self._rollout = ui.element("div").classes("rollout-box")
            with self._rollout:
                self._add("rollout")
                with ui.element("div").classes("orders"):
                    self._orders = {order: self._order(order) for order in BUTTONS}
                self._add("evidence")
            with ui.element("div").classes("columns"):
                with ui.element("div").classes("main-column"):
                    self._add("champion")
                    self._add("traffic")
                    self._chart = ui.echart({}).classes("chart")
                    self._chart.props(f'role=img aria-label="traffic of {model.name}"')
                with ui.element("div").classes("side-column"):
                    self._add("facts")
            with ui.element("div").classes("columns even"):
                self._add("versions")
                self._add("ledger")

    def update(self, model: ModelView) -> None:
        """Show this."""
        for name, element in self._html.items():
            element.content = self._pages.html(name, model=model)
        self._model = model
        self._subtitle.text = model.subtitle
        self._rollout.set_visibility(model.rollout is not None)
        for order, button in self._orders.items():
            button.set_visibility(model.rollout is not None and order in model.rollout.orders)
        self._button.set_visibility(model.back_to is not None)
        self._chart.set_visibility(bool(model.traffic_rows))
        drawn = chart.options(model.traffic)
        if drawn != self._drawn:
            self._drawn = drawn
            self._chart.options.clear()
            self._chart.options.update(drawn)
            self._chart.update()

    def _order(self, order: Order) -> ui.button:
        def ask() -> None:
            if self._model.rollout is not None:
                model, rollout = self._model.name, self._model.rollout
                self._dialog.ask(ordering(self._flyball, model, order, rollout))

        button = ui.button(BUTTONS[order], on_click=ask, color=None)
        return button.props("outline no-caps dense").classes(
            "grave order" if order is Order.ABORT else "order"
        )

    def _roll_back(self) -> None:
        model = self._model
        if model.champion and model.back_to:
            serving = model.champion.label
            self._dialog.ask(rolling_back(self._flyball, model.name, model.back_to, serving))

    def _add(self, name: str) -> None:
        self._html[name] = _html(name)


def _html(classes: str, *, tag: str = "div") -> ui.html:
    """A part filled from a template; those escape what is put in, so it is not cleaned again."""
    return ui.html("", sanitize=False, tag=tag).classes(classes)
