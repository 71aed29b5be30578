"""``python -m benchmarks.open_loop``: the generator as a process; a line of JSON each stretch."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.open_loop.counts import Latencies
from benchmarks.open_loop.generator import Generator


def requests(url: str, bodies: Path, headers: Path | None) -> list[bytes]:
    """Whole requests: a POST of each line of ``bodies``, with each line of ``headers``."""
    parts = urlsplit(url)
    more = headers.read_text().splitlines() if headers is not None else []
    head = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        *more,
    ]
    made = []
    for body in bodies.read_bytes().splitlines():
        whole = "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""])
        made.append(whole.encode() + body)
    return made


def main() -> None:
    """Run, and say what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--bodies", type=Path, required=True, help="a JSON document on each line")
    parser.add_argument("--headers", type=Path, help="a header on each line")
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--every", type=float, help="seconds of a stretch; default: all")
    parser.add_argument("--connections", type=int, default=64)
    given = parser.parse_args()

    def report(found: Latencies) -> None:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        sys.stdout.flush()

    asked = requests(given.url, given.bodies, given.headers)
    generator = Generator(given.url, asked, rate=given.rate, connections=given.connections)
    generator.run(given.seconds, given.every or given.seconds + 60.0, report)
    generator.close()


if __name__ == "__main__":
    main()
