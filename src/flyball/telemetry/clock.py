"""The system's clock."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Port ``Clock``: the time of this machine."""

    def now(self) -> datetime:
        """Now, in UTC, with its time zone."""
        return datetime.now(UTC)
