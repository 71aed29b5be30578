"""Lineage events in the home, and on to a receiver: the port ``Lineage``.

``events.jsonl`` is the truth: one OpenLineage event a line. ``told.json`` beside it says how far
the records are told in it, ``sent.json`` how much of it the receiver has. An event is first
written, then the mark is moved, then it is sent: a crash in between repeats a step, and the file
never holds an event twice (a receiver may get one twice; run ids are made from the records, so that
this changes nothing there).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from flyball.domain.canonical import canonical_json
from flyball.domain.told import JobRun, Mark
from flyball.errors import ArtifactCorrupt, StaleWrite
from flyball.storage.files import storing, taking_turns, write_whole
from flyball.storage.lineage_receiver import Receiver

EVENTS, TOLD, LOCK = "events.jsonl", "told.json", ".telling"

_Identity = tuple[str, str, str]
"""Of an event: its run, its type and its time."""


class FileLineage:
    """Lineage events in a folder.

    Args:
        folder: made when the first event is written.
        receiver: where they are also sent; None for nowhere.
    """

    def __init__(self, folder: Path, receiver: Receiver | None = None) -> None:
        self._folder = folder
        self._receiver = receiver

    def mark(self) -> Mark:
        """See ``Lineage.mark``."""
        path = self._folder / TOLD
        try:
            return Mark(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return Mark()
        except (OSError, ValueError, TypeError) as error:
            raise ArtifactCorrupt(
                f"{path} cannot be read ({error}); remove it together with {EVENTS} beside it, "
                "and all is told again"
            ) from error

    def tell(self, runs: Sequence[JobRun], *, before: Mark, after: Mark) -> None:
        """See ``Lineage.tell``."""
        lines = _lines(runs)
        with storing("lineage events"), taking_turns(self._folder / LOCK):
            if self.mark() != before:
                raise StaleWrite("lineage was told by another process in the meantime")
            size = self._append(lines, since=before.size)
            written = canonical_json(replace(after, size=size))
            write_whole(written, self._folder / TOLD)

    def deliver(self, *, within_s: float) -> None:
        """See ``Lineage.deliver``."""
        if self._receiver is not None:
            self._receiver.send(self._folder / EVENTS, within_s=within_s)

    def _append(self, lines: Iterable[str], *, since: int) -> int:
        """Write the lines that are not there since a place; returns the length afterwards."""
        path = self._folder / EVENTS
        path.touch()
        with path.open("r+b") as file:
            there = _mend(file, since)
            file.seek(0, os.SEEK_END)
            new = [line for line in lines if _identity(line) not in there]
            file.write("".join(f"{line}\n" for line in new).encode())
            file.flush()
            os.fsync(file.fileno())
            return file.tell()


def _lines(runs: Sequence[JobRun]) -> list[str]:
    if not runs:
        return []
    from flyball.storage.openlineage import event_line

    return [event_line(run) for run in runs]


def _mend(file: BinaryIO, since: int) -> set[_Identity]:
    """What was written after the mark; half a line at the end is what a crash left, and goes."""
    length = file.seek(0, os.SEEK_END)
    file.seek(min(since, length))
    begin, tail = file.tell(), file.read()
    whole = tail[: tail.rfind(b"\n") + 1]
    if whole != tail:
        file.truncate(begin + len(whole))
    return {_identity(line) for line in whole.splitlines()}


def _identity(line: str | bytes) -> _Identity:
    event: dict[str, Any] = json.loads(line)
    return event["run"]["runId"], event["eventType"], event["eventTime"]
