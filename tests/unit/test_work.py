"""Following work that another process carries out."""

from __future__ import annotations

import pytest

from flyball.errors import EnvironmentFailed
from flyball.work import GONE_AFTER_S, follow


class Elsewhere:
    """A workflow that ends after so many looks; a clock that goes ten seconds a look."""

    def __init__(self, *, looks: int, held_at: set[int]) -> None:
        self.looks, self.held_at, self.seen = looks, held_at, 0

    def ended(self, workflow: str) -> bool:
        return self.seen >= self.looks

    def follow(self) -> None:
        follow(
            self,
            "run-0123-1",
            held=lambda: self.seen in self.held_at,
            look=self._look,
            now=lambda: self.seen * 10.0,
        )

    def _look(self) -> None:
        self.seen += 1


class TestFollowing:
    def test_ends_with_the_work(self):
        work = Elsewhere(looks=5, held_at=set(range(5)))
        work.follow()
        assert work.seen == 5

    def test_outlives_a_control_process_that_crashes_and_is_started_again(self):
        """Its place is empty for a while, again and again."""
        work = Elsewhere(looks=12, held_at={0, 3, 6, 9})
        work.follow()
        assert work.seen == 12

    def test_does_not_wait_for_ever_for_a_process_that_is_gone(self):
        work = Elsewhere(looks=1_000, held_at={0, 1})
        with pytest.raises(EnvironmentFailed, match="run the same command again"):
            work.follow()
        assert (work.seen - 1) * 10.0 >= GONE_AFTER_S
        assert work.seen < 10
