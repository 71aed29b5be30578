"""For all tests: property tests try the same examples each time, and leave nothing in the tree."""

from __future__ import annotations

from hypothesis import settings

# No deadline: the machine may be busy, and speed is measured in benchmarks/.
settings.register_profile("flyball", deadline=None, derandomize=True, database=None)
settings.load_profile("flyball")

pytest_plugins = ("s3_servers",)
