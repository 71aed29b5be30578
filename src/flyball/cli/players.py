"""``python -m flyball.cli.players``: the sample's players, who log as everything else of ``up``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from flyball.games import players
from flyball.telemetry import logs


def main(argv: Sequence[str] | None = None) -> int:
    """As ``flyball.games.players``, with ``--log-level``; returns the exit code."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--log-level", default="info")
    own, rest = parser.parse_known_args(argv)
    logs.configure(level=own.log_level)
    return players.main(rest)


if __name__ == "__main__":
    sys.exit(main())
