"""The number of workers follows what this process may use, not what the machine has."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from flyball.executors.cores import usable_cores

HERE = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()


def v2(root: Path, text: str) -> Path:
    (root / "cpu.max").write_text(text)
    return root


def v1(root: Path, quota: str) -> Path:
    (root / "cpu").mkdir()
    (root / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (root / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    return root


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000\n", HERE),
        ("100000 100000\n", 1),
        ("5000 100000\n", 1),
        ("99900000 100000", HERE),
    ],
)
def test_a_containers_quota_counts(tmp_path, quota, cores):
    assert usable_cores(v2(tmp_path, quota)) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1\n", HERE), ("100000\n", 1)])
def test_an_old_containers_quota_counts_too(tmp_path, quota, cores):
    assert usable_cores(v1(tmp_path, quota)) == cores


@pytest.mark.skipif(not HERE or HERE < 2, reason="one core is all there is")
def test_a_part_of_a_core_is_worth_a_worker(tmp_path):
    assert usable_cores(v2(tmp_path, "110000 100000")) == 2


@pytest.mark.parametrize("text", ["", "rubbish", "1 0", "max"])
def test_what_cannot_be_read_is_no_limit(tmp_path, text):
    assert usable_cores(v2(tmp_path, text)) == HERE
    assert usable_cores(tmp_path / "nowhere") == HERE


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's")
def test_affinity_counts(tmp_path):
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_cores(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, before)
