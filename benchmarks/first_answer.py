"""From ``flyball up --sample`` on an empty home to the first recommendation a player gets."""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.loop import FLYBALL
from benchmarks.table import Line, judged

GIVE_UP_S = 300.0


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first_answer(home: Path) -> float:
    """Seconds until a recommendation with a full list came."""
    port, console = free_port(), free_port()
    ports = ["--port", str(port), "--console-port", str(console)]
    began = time.perf_counter()
    process = subprocess.Popen(
        [FLYBALL, "up", "--sample", "--home", str(home), *ports],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            while time.perf_counter() - began < GIVE_UP_S:
                try:
                    answer = client.post("/v1/recommendations", json={"user_id": "somebody"})
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                if answer.status_code == 200 and len(answer.json()["items"]) == 10:
                    return time.perf_counter() - began
                time.sleep(0.05)
        raise SystemExit(f"no recommendation within {GIVE_UP_S:.0f} s")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    seconds = []
    for _ in range(parser.parse_args().rounds):
        with tempfile.TemporaryDirectory(prefix="flyball-up-") as folder:
            seconds.append(first_answer(Path(folder) / "home"))
    return judged(
        "make up, after installation",
        [Line(what="to the first recommendation", values=seconds, limit=60, unit="s")],
    )


if __name__ == "__main__":
    sys.exit(main())
