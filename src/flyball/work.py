"""Work handed to whoever runs the loop on a home: ``flyball up``, or else this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from flyball.answers import Progress, Update
from flyball.domain.ledger import Entry
from flyball.domain.lifecycle import State
from flyball.domain.training import Run, RunPhase
from flyball.errors import EnvironmentFailed, NotFound
from flyball.wiring import Platform

if TYPE_CHECKING:
    from flyball.loop.engine import Client

FOLLOW_EVERY_S = 0.1

GONE_AFTER_S = 30.0
"""A home that nobody has held for so long is not taken up again by itself."""


class Work:
    """Workflows of one home, asked for and followed."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def done(
        self, kind: str, request: Mapping[str, Any], model: str, progress: Progress | None
    ) -> dict[str, Any]:
        """What a workflow returned, once it has; ``progress`` is told how far it is.

        Raises:
            FlyballError: the one that ended it.
            AlreadyRunning: a command that is not ``flyball up`` holds the home.
            EnvironmentFailed: ``flyball up`` was carrying it out, and is gone.
        """
        from flyball.loop.lock import holder

        home = self._platform.home

        def look() -> None:
            if progress is not None:
                progress(self._update(kind, model))
            pause.wait(FOLLOW_EVERY_S)

        pause = threading.Event()
        with self._client(f"flyball {kind}") as client:
            workflow = client.submit(kind, dict(request))
            follow(client, workflow, held=lambda: holder(home) is not None, look=look)
            return client.result(workflow)

    def handed_over(self, kind: str, request: Mapping[str, Any]) -> str:
        """The id of a workflow that the running ``flyball up`` carries out.

        Raises:
            NotFound: none runs on this home.
        """
        from flyball.loop.engine import Client
        from flyball.loop.lock import CONTROL, holder

        who = holder(self._platform.home)
        if who is None or who.role != CONTROL:
            raise NotFound(
                "--no-wait hands the turn to a running `flyball up`, and none is running on "
                "this home; start it, or leave --no-wait out"
            )
        client = Client(self._platform)
        try:
            return client.submit(kind, dict(request))
        finally:
            client.close()

    @contextmanager
    def _client(self, role: str) -> Iterator[Client]:
        from flyball.loop.engine import Client, engine
        from flyball.loop.lock import CONTROL, holder

        who = holder(self._platform.home)
        if who is not None and who.role == CONTROL:
            yield from _closing(Client(self._platform))
            return
        with engine(self._platform, role) as underway:
            yield from _closing(Client(self._platform, underway))

    def _update(self, kind: str, model: str) -> Update:
        """Where the newest work on a model stands, as its records tell."""
        if kind == "ingest":
            return Update(stage=kind, detail="reading")
        records = self._platform.records
        runs = records.find(Run, model=model, limit=1)
        if runs and runs[0].phase is RunPhase.SEARCHING:
            done, total = runs[0].trials_done, runs[0].budget.trials
            detail = f"{done} of at most {total} trials"
            return Update(stage="train", detail=detail, done=done, total=total)
        rows = records.ledger(model=model, limit=1)
        if not rows:
            return Update(stage="ingest", detail="reading")
        entry = rows[0].entry
        return Update(stage=_next_stage(entry), detail=f"after {entry.action} of {entry.subject}")


class Followed(Protocol):
    """The part of ``loop.engine.Client`` that following needs."""

    def ended(self, workflow: str) -> bool:
        """Whether it has a result or an error."""
        ...


def follow(
    client: Followed,
    workflow: str,
    *,
    held: Callable[[], bool],
    look: Callable[[], None],
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Return once a workflow has ended.

    Args:
        held: whether some process holds the home, and so carries workflows out.
        look: called between two looks; returns after a short while.
        now: seconds, never going back.

    Raises:
        EnvironmentFailed: nobody has held the home for ``GONE_AFTER_S`` seconds (a control process
            that crashed is back before).
    """
    seen = now()
    while not client.ended(workflow):
        if held():
            seen = now()
        elif now() - seen > GONE_AFTER_S:
            raise EnvironmentFailed(
                f"the process that was carrying out {workflow} is gone; run the same command "
                "again, or start `flyball up`: either goes on from there"
            )
        look()


def _next_stage(entry: Entry) -> str:
    """What is under way after the ledger's last entry."""
    if entry.action == "ingest":
        return "train"
    return "validate" if entry.after == State.VALIDATION else "deploy"


def _closing(client: Client) -> Iterator[Client]:
    try:
        yield client
    finally:
        client.close()
