"""What all open pages show: read once for all of them, and only while somebody looks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from starlette.concurrency import run_in_threadpool

from flyball.answers import ModelStatus, Served
from flyball.console.traffic import Follower
from flyball.console.views import ModelFacts, PageView, page
from flyball.errors import FlyballError
from flyball.loop.lock import holder
from flyball.verbs import Flyball

FRESH_S = 0.9
"""A view this young is good for another page."""

LEDGER_ROWS = 8
MINUTES = 15


class Watch:
    """Makes the page's view, at most about once a second however many pages are open."""

    def __init__(self, flyball: Flyball) -> None:
        self._flyball = flyball
        self._lock = asyncio.Lock()
        self._at = float("-inf")
        self._view: PageView | None = None
        self._followers = {
            model: Follower(flyball.platform.events, model, minutes=MINUTES)
            for model in flyball.settings.models
        }
        self._served: dict[str, tuple[str | None, Served]] = {}

    async def view(self) -> PageView:
        """What is, as of the last second. While it cannot be read: the last that was, and why.

        Raises:
            FlyballError: it could not be read even once.
        """
        async with self._lock:
            if self._view is None or time.monotonic() - self._at > FRESH_S:
                try:
                    self._view = await run_in_threadpool(self._read)
                except FlyballError as error:
                    if self._view is None:
                        raise
                    self._view = replace(self._view, problem=f"{error.title}: {error}")
                self._at = time.monotonic()
            return self._view

    def forget(self) -> None:
        """Read anew for the next page that asks."""
        self._at = float("-inf")

    def _read(self) -> PageView:
        now = self._flyball.platform.clock.now()
        status = self._flyball.status()
        known = [
            ModelFacts(
                status=model,
                versions=self._flyball.versions(model.model),
                ledger=self._flyball.ledger(model.model, limit=LEDGER_ROWS),
                served=self._champion_since(model),
                traffic=self._followers[model.model].read(now),
                max_error_share=self._flyball.settings.model(model.model).rollout.max_error_share,
            )
            for model in status.models
        ]
        return page(status, holder(status.home), known, now)

    def _champion_since(self, model: ModelStatus) -> Served:
        """Reads the whole ledger of a model, so only when the route has changed."""
        generation = f"{model.route.generation}" if model.route else None
        known = self._served.get(model.model)
        if known is None or known[0] != generation:
            known = (generation, self._flyball.served(model.model))
            self._served[model.model] = known
        return known[1]
