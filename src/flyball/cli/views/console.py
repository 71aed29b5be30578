"""Where views are printed: a terminal in its own width and colours, a pipe as plain text."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, RenderableType

WIDTH = 100


def show(parts: Iterable[RenderableType], out: TextIO) -> None:
    """Print the parts of a view, one below the other."""
    if not out.isatty():
        for part in parts:
            out.write(part + "\n" if isinstance(part, str) else _plain(part))
        return
    console = _console(out, width=None)
    for part in parts:
        console.print(part)


def _plain(part: RenderableType) -> str:
    """The part as text for a pipe: no colours, no spaces at the ends of lines."""
    text = io.StringIO()
    _console(text, width=WIDTH).print(part)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _console(out: TextIO, *, width: int | None) -> Console:
    forced = None if width is None else False
    return Console(
        file=out, width=width, force_terminal=forced, highlight=False, markup=False, emoji=False
    )
