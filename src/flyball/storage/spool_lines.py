"""Events as lines of a file that a crash may have cut anywhere.

A line is eight hex digits, a space, an event as JSON, and a line feed. The digits are the JSON's
CRC-32: so a line that was torn, or that the disk damaged, is told from one that was written.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import msgspec

from flyball.domain.traffic import Event
from flyball.errors import InvalidRequest

_SUM = 8
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)


def written(events: Iterable[Event]) -> bytes:
    """The lines of some events.

    Raises:
        InvalidRequest: an event holds text that is not Unicode.
    """
    lines = []
    for event in events:
        try:
            body = _ENCODER.encode(event)
        except UnicodeEncodeError as error:
            raise InvalidRequest(
                f"event {event.event_id!r} cannot be kept: {error.reason}; send it as Unicode"
            ) from error
        lines.append(b"%08x %b\n" % (zlib.crc32(body), body))
    return b"".join(lines)


def whole(data: bytes) -> int:
    """How many bytes of ``data`` are whole lines; what follows was torn, or is being written."""
    return data.rfind(b"\n") + 1


def read(data: bytes) -> Iterator[Event | None]:
    """The event of each whole line, in order; None for a line that is damaged."""
    for line in data[: whole(data)].split(b"\n")[:-1]:
        yield _event(line)


def _event(line: bytes) -> Event | None:
    body = line[_SUM + 1 :]
    if line[: _SUM + 1] != b"%08x " % zlib.crc32(body):
        return None
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError:
        return None  # whole, but not an event: another release wrote it
