"""Where the rows of an ingest come from, where that is more than a place to read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flyball.errors import InvalidRequest

INCOMING = "incoming"
"""The folder of the home for what is put there only to be ingested."""

_REPAIR = re.compile(r"repair:(?P<batch>[^:]+):(?P<fixes>.*?):(?P<file>/.+)", re.DOTALL)
_EVENTS = re.compile(r"events:(?P<model>[^:]+):(?P<after>\d+):(?P<until>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A location with its story.

    Attributes:
        location: as ``Sources.open`` takes it.
        shown: what people are told instead; empty for what the source says of itself.
        pseudonymous: personal values are pseudonyms already, but for what was written by hand.
        repaired_from: the batch id from whose quarantine the rows were repaired; else empty.
        events_until: the cursor after the last of the model's own events; else 0.
    """

    location: str
    shown: str = ""
    pseudonymous: bool = False
    repaired_from: str = ""
    events_until: int = 0

    @classmethod
    def of(cls, location: str) -> Origin:
        """Read a location, also one that ``repaired`` or ``own_events`` made.

        Raises:
            InvalidRequest: a repair that is not whole.
        """
        if location.startswith("repair:"):
            found = _REPAIR.fullmatch(location)
            if found is None:
                raise InvalidRequest(f"{location!r} is not a repair; use `flyball data quarantine`")
            return cls(
                location=found["file"],
                shown=f"quarantine of {found['batch']}, repaired: {found['fixes']}",
                pseudonymous=True,
                repaired_from=found["batch"],
            )
        found = _EVENTS.fullmatch(location)
        return cls(location=location, events_until=int(found["until"]) if found else 0)


def repaired(batch_id: str, fixes: str, file: str) -> str:
    """The location of rows from a batch's quarantine that were repaired into a file.

    Args:
        fixes: what was done, in words without ":/".
        file: an absolute path.
    """
    return f"repair:{batch_id}:{fixes}:{file}"


def own_events(model: str, after: int, until: int) -> str:
    """The location of a model's own events after one cursor, up to and with another."""
    return f"events:{model}:{after}:{until}"
