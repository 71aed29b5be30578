"""Plug-ins: a name becomes a class by its entry point. The built-ins come in by the same door.

Groups: ``flyball.applications``, ``flyball.models``, ``flyball.checks``.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Literal, cast

from flyball.domain.nearest import did_you_mean
from flyball.errors import ConfigurationError
from flyball.ports import Application, Check, Model

Group = Literal["applications", "models", "checks"]


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
        raise ConfigurationError(
            f"no plug-in called {name!r} in flyball.{group}{did_you_mean(name, found)} "
            f"(installed: {', '.join(sorted(found)) or 'none'})"
        )
    try:
        return found[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the plug-in {name!r} in flyball.{group} cannot be loaded: {error}; "
            "reinstall the package that provides it"
        ) from error
