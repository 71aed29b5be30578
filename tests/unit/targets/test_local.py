"""Which workers count as alive. (Real servers: tests/integration/test_serving.py.)"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from flyball.errors import DeploymentError
from flyball.ports import Change
from flyball.targets.local import LocalTarget
from flyball.testing.builders import NOON, a_version, a_worker
from flyball.testing.fakes import ManualClock, MemoryRecords


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


def a_target(records: MemoryRecords, *command: str) -> LocalTarget:
    return LocalTarget(Path("home"), records, ManualClock(NOON), command=command, deadline_s=20)


def test_workers_are_those_heard_of_within_five_seconds(records):
    for number, age in enumerate((0, 4, 6, 3600)):
        seen = NOON - timedelta(seconds=age)
        records.commit([Change(value=a_worker(f"host:{number}", seen_at=seen))])
    assert [w.worker for w in a_target(records).workers()] == ["host:0", "host:1"]


def test_no_temporary_worker_is_started_while_one_is_alive(records):
    records.commit([Change(value=a_worker("host:1"))])
    with a_target(records, "/no/such/program").at_least_one_worker():
        pass  # starting one would have failed


def test_a_server_that_cannot_be_started_is_an_error_that_names_it(records):
    with pytest.raises(DeploymentError, match="/no/such/program"):
        a_target(records, "/no/such/program").at_least_one_worker().__enter__()


def test_the_end_of_standard_error_says_why_a_server_ended(records):
    target = a_target(records, "/bin/sh", "-c", "echo the port is taken >&2; exit 3")
    with pytest.raises(DeploymentError, match="exit code 3: the port is taken"):
        target.candidate(a_version()).__enter__()


def test_a_server_that_says_something_else_is_refused(records):
    target = a_target(records, "/bin/sh", "-c", "echo hello; exec cat")
    with pytest.raises(DeploymentError, match="'hello' where its URL was expected"):
        target.candidate(a_version()).__enter__()
