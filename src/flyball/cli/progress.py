"""How far a verb has come, live on a terminal; elsewhere one line a stage."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from flyball.answers import Progress, Update


@contextlib.contextmanager
def follow(first: str) -> Iterator[Progress]:
    """Give a verb's ``progress``; it shows on standard error until the end.

    Args:
        first: the stage that the verb begins with.
    """
    if not sys.stderr.isatty():
        yield Lines(first)
        return
    with _bars() as bars:
        yield Live(bars, first)


class News:
    """Tells updates of this command from what is left of an earlier one.

    A verb's updates are read from the records, and the newest record may be an old one until the
    first step is done.
    """

    def __init__(self) -> None:
        self._before: tuple[str, str] | None = None

    def is_news(self, update: Update) -> bool:
        """Whether the update says something that did not stand there at the beginning."""
        said = (update.stage, update.detail)
        if self._before is None:
            self._before = said
        return update.total > 0 or said != self._before


class Lines:
    """One line a stage, for logs."""

    def __init__(self, first: str) -> None:
        self._stage, self._news = first, News()
        typer.echo(f"{first} ...", err=True)

    def __call__(self, update: Update) -> None:
        """Take one update."""
        if self._news.is_news(update) and update.stage != self._stage:
            self._stage = update.stage
            typer.echo(f"{update.stage} ...", err=True)


class Live:
    """A bar for the stage under way; gone at the end."""

    def __init__(self, bars: Bars, first: str) -> None:
        self._bars, self._news = bars, News()
        self._stage, self._task = first, self._begin(first)

    def _begin(self, stage: str) -> TaskID:
        return self._bars.add_task(stage, total=None, detail="")

    def __call__(self, update: Update) -> None:
        """Take one update."""
        if not self._news.is_news(update):
            return
        if update.stage != self._stage:
            self._bars.update(self._task, total=1, completed=1, detail="done")
            self._stage, self._task = update.stage, self._begin(update.stage)
        self._bars.update(
            self._task,
            total=update.total or None,
            completed=update.done,
            detail=_short(update.detail) if update.total else "",
        )


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description:<8}", markup=False),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        console=Console(file=sys.stderr),
        transient=True,
    )


def _short(text: str, width: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"
