"""Whoever waits for a workflow learns of it when nobody works on it any more."""

from __future__ import annotations

import pytest

from flyball.errors import DataQualityError, StorageUnavailable
from flyball.loop.underway import UNBEGUN_AFTER_S, UNRECORDED_AFTER_S, Underway


class Seconds:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def underway(clock: Seconds) -> Underway:
    return Underway(clock)


def carried(underway: Underway, body):
    return underway.carried(lambda: "run-1")(body)


class TestAnUnfinishedWorkflow:
    def test_is_waited_for_while_its_body_runs(self, underway, clock):
        def body(_request):
            clock.now += 10 * UNBEGUN_AFTER_S
            underway.check("run-1")
            return underway.rested_s()

        assert carried(underway, body)({}) == 0.0

    def test_is_waited_for_a_moment_after_its_body_ended(self, underway, clock):
        carried(underway, lambda request: request)({})
        clock.now += UNRECORDED_AFTER_S - 0.1
        underway.check("run-1")

    def test_that_could_not_be_recorded_is_told(self, underway, clock):
        carried(underway, lambda request: request)({})
        clock.now += UNRECORDED_AFTER_S
        with pytest.raises(StorageUnavailable, match=r"run-1 .*free space.*same command again"):
            underway.check("run-1")

    def test_is_told_with_the_error_that_ended_it(self, underway, clock):
        def body(_request):
            raise DataQualityError("purchases.csv is empty")

        with pytest.raises(DataQualityError):
            carried(underway, body)({})
        clock.now += UNRECORDED_AFTER_S
        with pytest.raises(DataQualityError, match="is empty"):
            underway.check("run-1")

    def test_that_cannot_be_begun_is_told_only_after_a_minute(self, underway, clock):
        clock.now += 10 * UNBEGUN_AFTER_S  # long before it was asked for
        underway.awaited()
        clock.now += UNBEGUN_AFTER_S - 0.1
        underway.check("run-2")
        clock.now += 0.1
        with pytest.raises(StorageUnavailable, match="run-2"):
            underway.check("run-2")
