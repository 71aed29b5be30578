"""The text of a new ``flyball.toml``: every setting, its default and its meaning."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flyball.settings import ModelSettings, Settings

HOME = "home"
"""The one setting that stands in no file: it says where the file is."""

_HEAD = """\
# Settings of Flyball. Every setting below shows its default: remove the `# ` to change it.
# The home itself is chosen by --home or FLYBALL_HOME. Environment variables win over this file.
# Durations: "90s", "15m", "24h", "2d".
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its section (empty at the top), key, default as TOML, and meaning."""

    section: str
    key: str
    default: str
    meaning: str

    @property
    def name(self) -> str:
        """``section.key``."""
        return f"{self.section}.{self.key}" if self.section else self.key

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"FLYBALL_{self.name.replace('.', '__').upper()}"


def settings(*, model: str = "games") -> list[Setting]:
    """Every setting, those without a section first; of models the one called ``model``."""
    found = list(_of(Settings, ""))
    top, sections = [s for s in found if not s.section], [s for s in found if s.section]
    return [*top, *sections, *_of(ModelSettings, f"models.{model}")]


def template() -> str:
    """The text of the file; it loads, and changes nothing."""
    lines, section = [_HEAD], ""
    for setting in settings():
        if setting.name == HOME:
            continue
        if setting.section != section:
            section = setting.section
            lines.append(f"\n[{section}]")
        lines.extend(
            textwrap.wrap(
                f"{setting.meaning} ({setting.variable})",
                98,
                initial_indent="# ",
                subsequent_indent="# ",
                break_long_words=False,
            )
        )
        lines.append(f"# {setting.key} = {setting.default}")
    return "\n".join(lines) + "\n"


def _of(table: type[BaseModel], section: str) -> Iterator[Setting]:
    """A table's own settings first, then those of its sections (TOML wants it so)."""
    sections = []
    for key, field in table.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            sections.append((key, kind))
        elif key != "models":
            yield Setting(
                section=section, key=key, default=_toml(field), meaning=field.description or ""
            )
    for key, kind in sections:
        yield from _of(kind, f"{section}.{key}" if section else key)


def _toml(field: FieldInfo) -> str:
    default: Any = field.get_default(call_default_factory=True)
    if isinstance(default, timedelta):
        return f'"{_duration(default)}"'
    plain = isinstance(default, bool | int | float | list | tuple)
    return json.dumps(default if plain else str(default))


def _duration(value: timedelta) -> str:
    seconds = value.total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0 and seconds // length != 1:
            return f"{seconds // length:g}{unit}"
    return f"{seconds:g}s"
