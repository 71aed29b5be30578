"""Both flavours of the client, asked alike: what one promises, the other does."""

from __future__ import annotations

import asyncio
import threading
import time

from flyball.client import AsyncClient, Client

PATIENT = {"timeout": 20.0}


def blocking(url, method, *arguments, options=PATIENT, **named):
    with Client(url, **options) as client:
        found = getattr(client, method)(*arguments, **named)
        return list(found) if method == "games" else found


def awaiting(url, method, *arguments, options=PATIENT, **named):
    async def ask():
        async with AsyncClient(url, **options) as client:
            found = getattr(client, method)(*arguments, **named)
            return [game async for game in found] if method == "games" else await found

    return asyncio.run(ask())


def until(condition, seconds=20.0):
    """Wait for a condition; fails when it stays false."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        pause.wait(0.02)
