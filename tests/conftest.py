"""For all tests: property tests try the same examples each time, and leave nothing in the tree."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: the machine may be busy, and speed is measured in benchmarks/.
settings.register_profile(
    "flyball", deadline=None, derandomize=True, database=None, max_examples=40
)
settings.load_profile("flyball")

pytest_plugins = ("postgresql_servers", "s3_servers")


MEMORY = Path("/dev/shm")
NEEDED = 8 << 30
"""Bytes; the homes of a whole run take less than half of it."""


def pytest_configure(config: pytest.Config) -> None:
    """Homes of tests lie in memory, where there is plenty: no test is about a loss of power.

    Only where pytest removes what passed, or else they would fill it up.
    """
    removed = config.getini("tmp_path_retention_policy") != "all"
    if removed and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= NEEDED:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of one ``xdist_group`` stay in one process, which makes their costly fixtures once.

    xdist 3.8 tells the group by the attribute ``_nodeid``, which pytest 9.2 no longer reads. To be
    removed with the next release of xdist.
    """
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = type(item.id).parse(f"{item.nodeid}@{group.args[0]}")
