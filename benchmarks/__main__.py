"""Run every benchmark in turn; the exit code is 1 where any falls short."""

from __future__ import annotations

import subprocess
import sys

ALL = (
    "accuracy",
    "launch",
    "cold_players",
    "text_search",
    "scoring",
    "search_cost",
    "anomalies",
    "ingest",
    "data_diff",
    "loop",
    "first_answer",
    "hot_swap",
    "serving",
    "latency",
    "large_catalogues",
    "events",
    "cold_start",
    "rollouts",
    "rollbacks",
    "control_cost",
    "experiments",
    "reproduce",
    "install",
)


def main() -> int:
    """Each in a process of its own, so that none warms or slows the next."""
    codes = {}
    for name in ALL:
        print(f"\n== benchmarks.{name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        codes[name] = subprocess.run(command, check=False).returncode
    short = [name for name, code in codes.items() if code]
    print(f"\n{len(ALL) - len(short)} of {len(ALL)} hold" + (f"; not: {short}" if short else ""))
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
