from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from cli_shop import Shop


@pytest.fixture
def shop() -> Shop:
    """A command line whose verbs answer what the test says."""
    return Shop()


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Commands set up the logs of their process, which here is that of all tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("flyball").setLevel(logging.NOTSET)
    structlog.reset_defaults()
