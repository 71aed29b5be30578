"""More requests than a server can answer, from callers who do not wait for each other's answers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from bare_server import Running, a_bare_server
from raw_http import GATHERED

LINES = 600
RATE = 1500.0
SECONDS = 4.0
WORK = b"GET /work?seconds=0.002 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
"""Three times what one worker can do in that time."""

TOGETHER = GATHERED + b"Content-Length: 1\r\n\r\n2"
"""The same work, answered together with that of others."""


@dataclass
class Tally:
    """What became of the requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    answered_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    told_when: set[bytes] = field(default_factory=set)
    probes: list[tuple[int, float]] = field(default_factory=list)


async def ask(line: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> bytes:
    """One request on an open connection; the head of its answer."""
    reader, writer = line
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    await reader.readexactly(size)
    return head


async def flood(server: Running, work: bytes) -> Tally:
    """Requests at a steady rate, each counted from when it was due, and probes beside them."""
    tally, free = Tally(), asyncio.Queue()
    for _ in range(LINES):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", server.port))

    async def one(due: float) -> None:
        line = await free.get()
        head = await ask(line, work)
        free.put_nowait(line)
        status, took = int(head[9:12]), time.monotonic() - due
        tally.statuses[status] += 1
        (tally.answered_s if status == 200 else tally.refused_s).append(took)
        if status != 200:
            tally.told_when.add(head.lower().partition(b"retry-after: ")[2].split(b"\r\n")[0])

    async def probe() -> None:
        while True:
            began = time.monotonic()
            line = await asyncio.open_connection("127.0.0.1", server.port)
            path = b"ready" if len(tally.probes) % 2 else b"live"
            head = await ask(line, b"GET /health/%b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path)
            line[1].close()
            tally.probes.append((int(head[9:12]), time.monotonic() - began))
            await asyncio.sleep(0.05)

    probing = asyncio.create_task(probe())
    async with asyncio.TaskGroup() as group:
        start = time.monotonic()
        for number in range(int(RATE * SECONDS)):
            due = start + number / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(one(due))
    if probing.done():
        probing.result()
    probing.cancel()
    while not free.empty():
        free.get_nowait()[1].close()
    return tally


@pytest.mark.parametrize("work", [WORK, TOGETHER], ids=["by_asgi", "gathered"])
def test_under_overload_some_are_refused_at_once_the_others_answered_soon_and_probes_always(work):
    with a_bare_server() as server:
        tally = asyncio.run(flood(server, work))
        said = f"{tally.statuses}, {sorted(tally.answered_s)[-1]:.3f} s at most"
    answered = sorted(tally.answered_s)
    assert set(tally.statuses) == {200, 429}, said
    assert tally.statuses[200] > 0.4 * SECONDS / 0.002 * 0.5, said
    assert tally.told_when == {b"1"}
    assert answered[int(len(answered) * 0.99)] < 3.0, said
    assert {status for status, _ in tally.probes} == {200}
    assert max(took for _, took in tally.probes) < 5.0
