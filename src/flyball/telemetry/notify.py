"""Telling people, where nothing better is set up: a line in the log."""

from __future__ import annotations

import structlog


class LogNotifier:
    """Port ``Notifier``: each message is one warning in the log of this process."""

    def notify(self, title: str, text: str) -> None:
        """Log the message. Never raises."""
        structlog.get_logger("flyball.notice").warning(title, text=text)
