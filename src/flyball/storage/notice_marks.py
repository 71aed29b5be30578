"""How far each notifier was told, in files of the home: the port ``NoticeMarks``.

``<name>.json`` holds the last row of the ledger that was told. It is moved after each notice that
was handed over, so that a crash in between repeats one and loses none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flyball.domain.canonical import canonical_json
from flyball.storage.files import storing, taking_turns, write_whole

_WHAT = "how far people were told"


@dataclass(slots=True)
class _Turn:
    path: Path
    told: int | None

    def move(self, row: int) -> None:
        """See ``NoticeTurn.move``."""
        with storing(_WHAT):
            write_whole(canonical_json({"ledger": row}), self.path)
        self.told = row


class FileNoticeMarks:
    """A folder with one small file a notifier.

    Args:
        folder: made with the first mark.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def turn(self, notifier: str) -> Iterator[_Turn]:
        """See ``NoticeMarks.turn``."""
        with ExitStack() as held:
            with storing(_WHAT):  # what goes wrong inside the turn is the teller's
                held.enter_context(taking_turns(self._folder / f".{notifier}.lock"))
            yield _Turn(self._path(notifier), self.told(notifier))

    def told(self, notifier: str) -> int | None:
        """See ``NoticeMarks.told``. A damaged file says nothing: as if nobody was ever told."""
        path = self._path(notifier)
        try:
            with storing(_WHAT):
                return int(json.loads(path.read_bytes())["ledger"]) if path.exists() else None
        except (ValueError, TypeError, KeyError):
            return None

    def _path(self, notifier: str) -> Path:
        return self._folder / f"{notifier}.json"
