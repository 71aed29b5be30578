"""Plug-ins: a name becomes a class by its entry point. The built-ins come in by the same door.

Groups: ``flyball.applications``, ``flyball.models``, ``flyball.checks``.
"""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points
from typing import Any, Literal, cast

from flyball.errors import ConfigurationError
from flyball.ports import Application, Check, Model

Group = Literal["applications", "models", "checks"]


def names(group: Group) -> list[str]:
    """The registered names of a group, sorted."""
    return sorted(entry_points(group=f"flyball.{group}").names)


def application(name: str) -> Application:
    """A new instance of the application called ``name``."""
    return cast(Application, _load("applications", name)())


def model(name: str) -> type[Model]:
    """The model class of the family called ``name``."""
    return cast(type[Model], _load("models", name))


def check(name: str) -> Check:
    """A new instance of the check called ``name``."""
    return cast(Check, _load("checks", name)())


def _load(group: Group, name: str) -> Any:
    found = {point.name: point for point in entry_points(group=f"flyball.{group}")}
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(
            f"no plug-in called {name!r} in flyball.{group}{hint} "
            f"(installed: {', '.join(sorted(found)) or 'none'})"
        )
    try:
        return found[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the plug-in {name!r} in flyball.{group} cannot be loaded: {error}; "
            "reinstall the package that provides it"
        ) from error
