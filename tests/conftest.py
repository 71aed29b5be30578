"""For all tests: property tests try the same examples each time, and leave nothing in the tree."""

from __future__ import annotations

import pytest
from hypothesis import settings

# No deadline: the machine may be busy, and speed is measured in benchmarks/.
settings.register_profile("flyball", deadline=None, derandomize=True, database=None)
settings.load_profile("flyball")

pytest_plugins = ("postgresql_servers", "s3_servers")


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
