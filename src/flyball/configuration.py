"""Where settings come from: ``flyball.toml``, then ``FLYBALL_*`` variables over it.

A key ``section.key`` is the variable ``FLYBALL_SECTION__KEY``. An unknown key or a wrong value is
refused with its place and the nearest valid name.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from flyball.domain.names import check_model_name
from flyball.domain.nearest import did_you_mean
from flyball.errors import ConfigurationError
from flyball.settings import CONFIG_FILE, ModelSettings, Settings

KEY = "FLYBALL_API_KEY"
"""The variable that holds the API key with which simulated players call."""

NOT_SETTINGS = frozenset({"FLYBALL_HOME", "FLYBALL_TEST_DATA", KEY})
"""Variables that are read elsewhere: the home itself, where the tests find real data, a key."""


def load(home: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of one installation.

    The home is ``home``, else ``FLYBALL_HOME``, else ``.flyball``. The file is ``flyball.toml`` in
    the home, else in the working directory.

    Raises:
        ConfigurationError: says which key or value, on which line or in which variable, and the
            nearest valid name.
    """
    env = os.environ if environ is None else environ
    where = home or Path(env.get("FLYBALL_HOME") or ".flyball")
    path = next((p for p in (where / CONFIG_FILE, Path(CONFIG_FILE)) if _there(p)), None)
    text = _text(path) if path else ""
    values = _parsed(text, path)
    if "home" in values:
        raise ConfigurationError(
            f"{path}, line {_line(text, ('home',))}: the home is not set in a file that may lie in "
            "it; use --home or FLYBALL_HOME"
        )
    places = _from_environment(values, env)
    values["home"] = str(where)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_explained(error, text, path, places)) from None
    for name in settings.models:
        check_model_name(name)
    return settings


def _there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be looked for: {error.strerror}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None


def _parsed(text: str, path: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None


def _from_environment(values: dict[str, Any], env: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Put ``FLYBALL_A__B`` over ``values[a][b]``; returns the variable behind each key."""
    places: dict[tuple[str, ...], str] = {}
    for variable, raw in sorted(env.items()):
        if not variable.startswith("FLYBALL_") or variable in NOT_SETTINGS:
            continue
        keys = tuple(part.lower() for part in variable.removeprefix("FLYBALL_").split("__"))
        table = values
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise ConfigurationError(f"{variable}: {key!r} is a value, not a section")
        try:
            table[keys[-1]] = json.loads(raw) if raw.startswith(("[", "{")) else raw
        except ValueError as error:
            raise ConfigurationError(f"{variable} is not valid JSON: {error}") from None
        places[keys] = variable
    return places


def _explained(
    error: ValidationError, text: str, path: Path | None, places: Mapping[tuple[str, ...], str]
) -> str:
    lines = []
    for problem in error.errors():
        keys = tuple(str(part) for part in problem["loc"])
        place = _variable(places, keys) or f"{path}, line {_line(text, keys)}"
        if problem["type"] == "extra_forbidden":
            hint = did_you_mean(keys[-1], _valid_names(keys[:-1]))
            lines.append(f"{place}: unknown key {'.'.join(keys)!r}{hint}")
        else:
            reason = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "list_type":
                reason = _as_list(keys[-1], problem["input"], _variable(places, keys))
            lines.append(f"{place}: {'.'.join(keys)} = {problem['input']!r}: {reason}")
    return "; ".join(lines)


def _as_list(key: str, given: object, variable: str | None) -> str:
    """How a list is written, in words, of what was written instead."""
    parts = given.split(",") if isinstance(given, str) else [str(given)]
    written = json.dumps([part.strip() for part in parts if part.strip()])
    how = f"{key} = {written}" if variable is None else f"as JSON: {variable}='{written}'"
    return f"a list is needed; write {how}"


def _variable(places: Mapping[tuple[str, ...], str], keys: tuple[str, ...]) -> str | None:
    """The variable that set this key, a part of it, or the section it lies in."""
    for depth in range(len(keys), 0, -1):
        for of, variable in places.items():
            if of == keys[:depth] or (depth == len(keys) and of[:depth] == keys):
                return variable
    return None


def _valid_names(section: tuple[str, ...]) -> list[str]:
    table: type[BaseModel] = Settings
    if section[:1] == ("models",) and len(section) > 1:  # then a model's own name
        table, section = ModelSettings, section[2:]
    for key in section:
        field = table.model_fields.get(key)
        annotation = field.annotation if field else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            table = annotation
    return list(table.model_fields)


def _line(text: str, keys: tuple[str, ...]) -> int:
    """The line of the key, found by its section's header; 1 where it is written another way."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]\s*(#.*)?$", line):
            section = header[1].replace(" ", "").replace('"', "")
            if section == ".".join(keys):
                return number
        elif match := re.match(r'\s*"?([\w.-]+)"?\s*=', line):
            full = f"{section}.{match[1]}" if section else match[1]
            if full == ".".join(keys):
                return number
    return 1
