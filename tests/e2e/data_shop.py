"""A home asked by the real command line, and a real server on it."""

from __future__ import annotations

import csv
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import polars as pl

from flyball.games.catalogue import game_id
from warm_start import flyball, server

MODEL = "games"
NO_MORE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Shop:
    """A home, asked by the command line.

    Attributes:
        files: the folder of the published files.
        told: what the command that made it answered.
    """

    home: Path
    files: Path
    told: Any = None

    def ask(
        self,
        *arguments: str | Path,
        code: int = 0,
        stdin: bytes = b"",
        env: Mapping[str, str] = NO_MORE,
    ) -> Any:
        """What a command answers, as JSON; holds where it ends with this code."""
        options = ("--home", self.home, "--json")
        done = flyball(*arguments, *options, env=environment() | dict(env), stdin=stdin)
        assert done.returncode == code, f"exit code {done.returncode}: {done.stderr}"
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout)


def csv_rows(count: int, value: Callable[[int], float] = float) -> bytes:
    """A small file of plays."""
    lines = [f"player-{n},Game {n % 7},play,{value(n)}" for n in range(count)]
    return "\n".join(["user_id,title,event,value", *lines, ""]).encode()


def rows_of(home: Path) -> set[str]:
    """The people in the files that lie in the workspace."""
    found = (home / "data" / MODEL).glob("*-interactions-*.parquet")
    return {u for path in found for u in pl.read_parquet(path, columns=["user_id"])["user_id"]}


def busiest(source: Path) -> tuple[str, set[str]]:
    """The player with the third-most games (no bot, and not everything owned), and their games."""
    with source.open(encoding="utf-8", newline="") as file:
        pairs = {(user, game_id(title)) for user, title, *_ in csv.reader(file)}
    [*_, (player, _)] = Counter(user for user, _ in pairs).most_common(3)
    return player, {game for user, game in pairs if user == player}


def recommended(client: httpx.Client, player: str) -> Any:
    answer = client.get(f"/v1/recommendations/{player}", params={"k": 10})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ten_popular(client: httpx.Client) -> list[str]:
    """What a player gets whom nobody knows."""
    return games(recommended(client, "nobody-in-particular"))


def games(answer: Any) -> list[str]:
    return [item["game_id"] for item in answer["items"]]


def environment() -> dict[str, str]:
    """This process's, with a search that is short: what it finds is tested elsewhere."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FLYBALL_")}
    return clean | {"FLYBALL_MODELS__GAMES__SEARCH__TRIALS": "6"}


def wait_until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    pause, deadline = threading.Event(), time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        pause.wait(0.1)


@contextmanager
def served(home: Path) -> Iterator[httpx.Client]:
    """A client of one real inference server on a free port, once it is ready."""
    options = ("--home", home, "--port", "0")
    with (
        server("flyball.serving", *options, env=environment()) as (process, url),
        httpx.Client(base_url=url, timeout=30, trust_env=False) as client,
    ):
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        yield client
        process.terminate()
        process.wait()
