"""A rollout, followed live: a line for each thing that happens, or a picture on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import typer

from flyball.cli.interrupts import leaving
from flyball.domain.deployment import Phase
from flyball.domain.underway import Underway
from flyball.domain.validation import Verdict

if TYPE_CHECKING:
    from rich.live import Live

    from flyball.answers import Deployed
    from flyball.cli.command import Cli

TELL_EVERY_S = 30.0
"""How often a log is told what is shown so far, while nothing else happens."""


class Teller(Protocol):
    """Takes what is seen of a rollout."""

    def __call__(self, found: Underway) -> None:
        """One look."""
        ...


def followed(cli: Cli, done: Deployed) -> Deployed:
    """The deployment once it has all traffic and bakes, or has ended.

    Where no control process goes on with it, it is left as it is. Ctrl-C stops following only.
    """
    one = done.deployment
    if one.phase is not Phase.ROLLING or not done.followed:
        return done
    line = f"stopped following; the rollout goes on: `flyball status {one.model}` shows it"
    with leaving(cli, line), _teller() as tell:
        for found in cli.flyball.follow(one.id):
            tell(found)
            done = replace(done, deployment=found.deployment)
    return done


@contextlib.contextmanager
def _teller() -> Iterator[Teller]:
    if not sys.stderr.isatty():
        yield Lines()
        return
    with _live() as live:
        yield Picture(live)


class Lines:
    """Plain lines, for logs."""

    def __init__(self) -> None:
        self._where = ""
        self._keeps = ""
        self._verdicts: dict[str, Verdict] = {}
        self._last: Underway | None = None
        self._told_at = 0.0

    def __call__(self, found: Underway) -> None:
        """Tell what is new since the last look."""
        from flyball.cli.views.rollouts import where

        said = where(found)
        if said != self._where:
            if self._last is not None:
                self._sum_up(_ended(self._last, found))
            self._where = said
            _line(_named(found, said))
        if found.keeps != self._keeps:
            self._keeps = found.keeps
            _line(f"  {found.keeps or 'goes on'}")
        self._shown(found)
        self._last = found

    def _shown(self, found: Underway) -> None:
        """Verdicts that changed; now and then all of it."""
        if found.standing is None or found.standing.share != found.share:
            return
        for part in found.standing.judgement.parts:
            before = self._verdicts.get(part.what, Verdict.INCONCLUSIVE)
            self._verdicts[part.what] = part.verdict
            if part.verdict is not before:
                _line(f"  {part.what} {part.verdict}: {part.detail}")
        at = found.standing.at.timestamp()
        if not self._told_at:
            self._told_at = at
        elif at - self._told_at >= TELL_EVERY_S:
            self._sum_up(found)

    def _sum_up(self, found: Underway) -> None:
        from flyball.cli.views.rollouts import counted

        if found.standing is None:
            return
        self._told_at = found.standing.at.timestamp()
        _line(f"  {counted(found.standing)}; {found.standing.judgement.reason}")


class Picture:
    """The rollout as it stands, drawn again at each look."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def __call__(self, found: Underway) -> None:
        """Draw it."""
        from flyball.cli.look import now
        from flyball.cli.views.rollouts import underway

        self._live.update(underway(found, now()), refresh=True)


def _ended(last: Underway, found: Underway) -> Underway:
    """The step that was left, with what was judged of it last."""
    judged = found.standing
    same = judged is not None and judged.share == last.share
    return replace(last, standing=judged) if same else last


def _named(found: Underway, said: str) -> str:
    match found.deployment.phase:
        case Phase.ROLLING:
            return f"step {said}"
        case _:
            return said


def _line(text: str) -> None:
    typer.echo(text, err=True)


def _live() -> Live:
    from rich.console import Console
    from rich.live import Live

    return Live(console=Console(file=sys.stderr), auto_refresh=False, transient=False)
