"""How values read: times, sizes, states in their colours, tables of one look."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

STYLES: Mapping[str, str] = {
    # states of a version
    "development": "dim",
    "training": "cyan",
    "validation": "cyan",
    "staging": "yellow",
    "production": "bold green",
    "monitoring": "green",
    "rollback": "red",
    "archived": "dim",
    # phases of a deployment and of a run
    "loading": "cyan",
    "rolling": "cyan",
    "switching": "cyan",
    "baking": "green",
    "done": "green",
    "failed": "red",
    "rolled back": "red",
    "searching": "cyan",
    # verdicts and decisions
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
    "error": "magenta",
    "promote": "bold green",
    "reject": "bold red",
    "undecided": "yellow",
    # severities of anomalies
    "notice": "yellow",
    "severe": "bold red",
    # the doctor's levels
    "ok": "green",
    "warn": "yellow",
}


def coloured(state: object) -> Text:
    """A state, phase, verdict or decision in its colour."""
    return Text(str(state), style=STYLES.get(str(state), ""))


def ago(when: datetime | None, now: datetime) -> str:
    """How long ago, for a person: "12 s ago", "3 min ago", "5 days ago", else the date."""
    if when is None:
        return ""
    seconds = (now - when).total_seconds()
    if seconds < -1:
        return when.strftime("%Y-%m-%d %H:%M UTC")
    for unit, length, limit in (
        ("s", 1, 60),
        ("min", 60, 60),
        ("h", 3600, 48),
        ("days", 86400, 30),
    ):
        count = int(max(seconds, 0) / length)
        if count < limit:
            return f"{count} {unit} ago" if count or unit != "s" else "just now"
    return when.strftime("%Y-%m-%d")


def exactly(when: datetime, now: datetime) -> str:
    """A time to the second, and how long ago that is, unless that is another date."""
    since = ago(when, now)
    told = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    return told if told.startswith(since[:10]) else f"{told} ({since})"


def short(text: str) -> str:
    """``text`` with hashes of 32 and more hex digits cut to eight; version names stay whole."""
    return re.sub(r"\b[0-9a-f]{32,}\b", lambda found: found[0][:8], text)


def size(count: int) -> str:
    """Bytes in the unit that suits."""
    number = float(count)
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def number(value: Any) -> str:
    """A measurement with four digits that mean something, or a setting in few words."""
    match value:
        case None:
            return "none"
        case float():
            return f"{value:.4g}"
        case list() | tuple():
            return " + ".join(map(_named, value)) or "none"
        case _:
            return str(value)


def _named(part: Any) -> str:
    """A part of a setting, by its texts alone: what else it holds stands with ``--json``."""
    if not isinstance(part, Mapping):
        return number(part)
    return " ".join(value for value in part.values() if isinstance(value, str))


def measures(metrics: Mapping[str, Any], *, most: int = 99) -> str:
    """Metrics or hyperparameters on one line, as many as asked for."""
    return ", ".join(f"{name} {number(value)}" for name, value in list(metrics.items())[:most])


def table(*headers: str, keep: Sequence[str] = ()) -> Table:
    """An empty table; columns named in ``keep`` are never cut or wrapped."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for header in headers:
        made.add_column(header, no_wrap=header in keep, overflow="fold")
    return made


def facts(rows: Sequence[tuple[str, RenderableType]], *, least: int = 0) -> RenderableType:
    """Names (a column of ``least`` width or more) and their values, one a line.

    Those with an empty value are left out.
    """
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True, min_width=least)
    grid.add_column(overflow="fold")
    for name, value in rows:
        if value != "":
            grid.add_row(name, value)
    return grid


def below(part: RenderableType) -> RenderableType:
    """A part with an empty line before it."""
    return Padding(part, (1, 0, 0, 0), expand=False)
