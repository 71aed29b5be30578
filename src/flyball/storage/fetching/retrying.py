"""Trying again: what to do when a transfer breaks off in the middle."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flyball.errors import EnvironmentFailed

R = TypeVar("R")

ENOUGH_BYTES = 1 << 20
"""An attempt that brought so much was not in vain: the count of vain ones starts anew."""

LEAST_BYTES = 16 << 10
"""What ``Patience.stall_s`` must bring; less is a server that does not mean it."""


def pause(seconds: float) -> None:
    """Let time pass."""
    threading.Event().wait(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a transfer goes on.

    Attributes:
        attempts: in vain, one after the other, before it is given up.
        first_wait_s, longest_wait_s: the pause after a vain attempt doubles from one to the other;
            of that, a random half to the whole is waited.
        silence_s: how long a server may send nothing at all.
        stall_s: in such a stretch it must send ``LEAST_BYTES``.
        wait: lets seconds pass.
        monotonic: seconds that only grow.
        chance: a random number from [0, 1).
    """

    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    silence_s: float = 30.0
    stall_s: float = 60.0
    wait: Callable[[float], None] = pause
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def pause_s(self, vain: int, asked_s: float | None = None) -> float:
        """Seconds to wait after so many vain attempts; never shorter than the server asked."""
        whole = min(self.longest_wait_s, self.first_wait_s * 2.0 ** max(0, vain - 1))
        own = whole * (0.5 + self.chance() / 2)
        return own if asked_s is None else max(own, min(asked_s, self.longest_wait_s))


class Interruption(EnvironmentFailed):
    """A transfer broke off; another attempt may do better. ``persistently`` catches it.

    Attributes:
        gained: bytes that this attempt brought and that stay.
        asked_s: how long the server asked to be left alone.
    """

    def __init__(self, message: str, *, gained: int = 0, asked_s: float | None = None) -> None:
        super().__init__(message)
        self.gained = gained
        self.asked_s = asked_s


def persistently(what: str, attempt: Callable[[], R], patience: Patience) -> R:
    """What ``attempt`` returns, tried again after each ``Interruption``.

    Args:
        what: is fetched, as people may see it.
        attempt: goes on where the one before it stopped.

    Raises:
        EnvironmentFailed: ``patience.attempts`` in a row were in vain; says what, how often, why.
    """
    tried = vain = 0
    while True:
        tried += 1
        try:
            return attempt()
        except Interruption as cut:
            vain = 1 if cut.gained >= ENOUGH_BYTES else vain + 1
            if vain >= patience.attempts:
                times = "attempt" if tried == 1 else "attempts"
                raise EnvironmentFailed(
                    f"{what} could not be fetched in {tried} {times}; the last one: {cut}; check "
                    "the network and the server, then run the same command again"
                ) from cut
            patience.wait(patience.pause_s(vain, cut.asked_s))


class Pace:
    """Notices a transfer that trickles on for ever.

    Args:
        patience: its ``stall_s`` and ``monotonic`` are used.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since = patience.monotonic()
        self._bytes = 0

    def saw(self, count: int) -> None:
        """So many bytes came.

        Raises:
            Interruption: far too few came in the last stretch.
        """
        self._bytes += count
        now = self._patience.monotonic()
        if now - self._since < self._patience.stall_s:
            return
        if self._bytes < LEAST_BYTES:
            raise Interruption(f"only {self._bytes} bytes came in {now - self._since:.0f} s")
        self._since, self._bytes = now, 0
