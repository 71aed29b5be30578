"""Reading ahead: the next item is made while this one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_DEPTH = 1
"""Items made and not yet used. One is enough to keep both sides busy, and costs least memory."""


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


def ahead(items: Iterable[T]) -> Generator[T, None, None]:
    """The items, made by a thread of their own; what ends them early ends them here.

    Close it (``contextlib.closing``) to stop the thread before the last item.
    """
    made: queue.Queue[_Item[T] | _End] = queue.Queue(_DEPTH)
    stopped = threading.Event()

    def put(item: _Item[T] | _End) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                made.put(item, timeout=0.1)
                return

    def make() -> None:
        try:
            for item in items:
                put(_Item(item))
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are used
            put(_End(error))
        else:
            put(_End(None))

    maker = threading.Thread(target=make, name="ahead", daemon=True)
    maker.start()
    try:
        while isinstance(item := made.get(), _Item):
            yield item.value
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        maker.join()
