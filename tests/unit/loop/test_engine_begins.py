"""A command beside a control process that has only begun: it waits, and is not turned away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from flyball import Flyball, configuration
from flyball.errors import StorageUnavailable
from flyball.loop.engine import Client, engine
from flyball.loop.lock import CONTROL


@pytest.fixture
def platform(tmp_path):
    settings = configuration.load(tmp_path / "home", environ={})
    settings.home.mkdir()
    with Flyball(config=settings, actor="test") as verbs:
        yield verbs.platform


def test_work_that_is_asked_for_before_the_tables_are_made_is_handed_over(platform):
    client = Client(platform)
    try:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.submit, "deploy", {"version": "games/1.0.0"})
            with engine(platform, CONTROL):
                assert asked.result(timeout=30).startswith("deploy-")
    finally:
        client.close()


def test_a_database_that_cannot_be_used_for_another_reason_is_said_at_once(platform):
    client = Client(platform)
    try:
        path = platform.workflows_url().removeprefix("sqlite:///")
        with open(path, "wb") as file:
            file.write(b"this is no database" * 100)
        with pytest.raises(StorageUnavailable, match="damaged"):
            client.submit("deploy", {"version": "games/1.0.0"})
    finally:
        client.close()
