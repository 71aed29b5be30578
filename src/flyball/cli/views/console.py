"""Where views are printed: a terminal in its own width and colours, a pipe as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, RenderableType

WIDTH = 100


def show(parts: Iterable[RenderableType], out: TextIO) -> None:
    """Print the parts of a view, one below the other."""
    terminal = out.isatty()
    console = Console(
        file=out,
        width=None if terminal else WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )
    for part in parts:
        if isinstance(part, str) and not terminal:
            out.write(f"{part}\n")  # a pipe's lines are not wrapped
        else:
            console.print(part)
