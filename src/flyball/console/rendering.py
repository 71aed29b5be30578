"""Views as HTML. Everything that is put in is escaped: names and reasons come from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE = Path(__file__).parent


class Pages:
    """The templates of this folder."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def html(self, name: str, **values: Any) -> str:
        """The template ``name`` with these values."""
        return self._environment.get_template(f"{name}.html").render(**values)


def stylesheet() -> str:
    """The page's own style."""
    return (_HERE / "console.css").read_text(encoding="utf-8")
