from __future__ import annotations

import pytest
from cli_shop import Shop


@pytest.fixture
def shop() -> Shop:
    """A command line whose verbs answer what the test says."""
    return Shop()
