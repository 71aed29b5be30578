"""Items made by a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from flyball.steps.ahead import ahead


class TestReadingAhead:
    """As if there were no thread."""

    def test_gives_all_items_in_their_order(self) -> None:
        """Also none."""
        assert list(ahead(range(100))) == list(range(100))
        assert list(ahead([])) == []

    def test_raises_what_the_items_raise(self) -> None:
        """After the items before it."""

        def items() -> Iterator[int]:
            yield 1
            raise KeyError("two")

        got: list[int] = []
        with pytest.raises(KeyError, match="two"):
            got.extend(ahead(items()))
        assert got == [1]

    def test_stops_its_thread_when_closed_early(self) -> None:
        """And ends what it reads from."""
        ended = threading.Event()

        def endless() -> Iterator[int]:
            try:
                while True:
                    yield 1
            finally:
                ended.set()

        before = threading.active_count()
        with closing(ahead(endless())) as items:
            next(items)
        assert threading.active_count() == before
        assert ended.wait(5)
