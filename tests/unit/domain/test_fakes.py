"""The published fakes do what their docstrings say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.errors import DeploymentError
from flyball.testing.builders import NOON, a_version, a_worker
from flyball.testing.fakes import FakeTarget, ManualClock


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock()
    assert (clock.now(), clock.now()) == (NOON, NOON)
    assert clock.advance(5, hours=1) == clock.now() == NOON + timedelta(hours=1, seconds=5)


def test_a_target_has_the_workers_it_was_given() -> None:
    target = FakeTarget(running=[a_worker()])
    target.workers().clear()
    assert target.workers() == [a_worker()]


def test_a_target_gives_a_candidate_or_refuses_it() -> None:
    target = FakeTarget(candidate_url="http://127.0.0.1:1")
    with target.candidate(a_version()) as url:
        assert url == "http://127.0.0.1:1"
    target.candidate_url = None
    with (
        pytest.raises(DeploymentError, match="did not become ready"),
        target.candidate(a_version()),
    ):
        pass
    assert target.candidates == [a_version().id] * 2


def test_a_temporary_worker_runs_only_meanwhile_and_only_where_none_does() -> None:
    target = FakeTarget(temporary=a_worker("host:9"))
    with target.at_least_one_worker():
        assert [worker.id for worker in target.workers()] == ["host:9"]
    assert target.workers() == []
    target.running = [a_worker()]
    with target.at_least_one_worker():
        assert target.workers() == [a_worker()]
