"""How many requests may wait: more are refused at once, so that those taken are answered soon.

A worker answers one request after the other, so a queue is time. What waits in it longer than a
caller does is work for nothing: under overload a server that takes everything answers nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flyball.errors import TooManyRequests

MOST_WAITING = 128
"""Requests that may wait in one worker: at 0.3 ms each, some 40 ms."""

ROUNDS = 4
"""Of so many parts of them one is answered between two refusals: more would answer more of those
who ask without end, and keep everybody else waiting for longer."""

RETRY_AFTER_S = 1.0
PROBES = frozenset({"/health/live", "/health/ready"})
"""Always answered: who gets no answer here ends the process, and makes the overload worse."""


class Admission:
    """Counts what waits for its turn.

    Where too many wait, the excess is refused, and then some are answered before that is looked at
    again. Callers who were refused and come back at once keep the queue as long as it was: who
    refused for as long as it is would refuse everybody.

    Attributes:
        requests: every request that has arrived and is not yet answered; and
        gathered: those that are answered together, while they wait.
        refused: how many were turned away.

    Args:
        most_waiting: requests.
    """

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self.requests: Collection[Any] = ()
        self.gathered: Collection[Any] = ()
        self.refused = 0
        self._begun = 0
        self._most_waiting = most_waiting
        self._to_refuse = self._to_answer = 0

    @property
    def waiting(self) -> int:
        """Requests that nobody has looked at yet."""
        return len(self.requests) - self._begun + len(self.gathered)

    def begin(self, path: str) -> None:
        """A request for this path has its turn; call ``end`` afterwards, also after a refusal.

        Raises:
            TooManyRequests: too many wait behind it. This one has waited longest; its caller has
                the least patience left.
        """
        self._begun += 1
        if path not in PROBES:
            self.check()

    def check(self) -> None:
        """One that was gathered has its turn.

        Raises:
            TooManyRequests: as above.
        """
        if self.waiting > self._most_waiting:
            self._refuse_or_answer()

    def _refuse_or_answer(self) -> None:
        if self._to_answer:
            self._to_answer -= 1
            return
        excess = self.waiting - self._most_waiting
        self._to_refuse = min(self._to_refuse or excess, excess) - 1
        if not self._to_refuse:
            self._to_answer = max(1, self._most_waiting // ROUNDS)
        self.refused += 1
        raise TooManyRequests(
            f"more than {self._most_waiting} requests wait; try again in a second",
            retry_after_s=RETRY_AFTER_S,
        )

    def end(self) -> None:
        """It was answered."""
        self._begun -= 1
