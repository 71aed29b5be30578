"""The packages of the extra ``torch``, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from flyball.errors import ConfigurationError


def required(name: str) -> Any:
    """The module ``name``, e.g. ``torch`` or ``safetensors.numpy``.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ConfigurationError(
            f"sasrec needs {package}, which cannot be imported ({error}); run "
            "`pip install 'flyball[torch]'`, or choose another family"
        ) from error
