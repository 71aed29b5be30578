"""Servers that are made for models, on the same model: requests a second.

    python -m benchmarks.serving_peers [--rounds 5] [--seconds 10] [--only "LitServe; BentoML"]

LitServe, BentoML, MLServer, Ray Serve, KServe, MLflow and PyTriton: each is installed by pip into
an environment of its own (``--environments``, outside the project), serves the model of
``benchmarks.serving`` by the same function with two workers, tuned as its guide says, and is asked
by wrk in the same way, in the form it wants. All listen on loopback alone. What does not install or
start is reported with its reason. Flyball takes turns with them, with all of the product on.
Exits 1 where Flyball is not five times as fast as the best of them, 2 if data or wrk is not there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import httpx
from rich.console import Console

from benchmarks.serving import wrk
from benchmarks.serving.__main__ import WARM_S, Rounds, middle, report, turn
from benchmarks.serving.contenders import ALL as CONTENDERS
from benchmarks.serving.contenders import FLOOR, FLYBALL
from benchmarks.serving.processes import Running
from benchmarks.serving.scoring import Best
from benchmarks.serving.world import World, headers, made
from benchmarks.serving.wrk import Measured
from benchmarks.serving_peers.peers import ALL, Peer, installed, running, version
from benchmarks.steam_data import default_data
from benchmarks.table import Line, judged

TIMES = 5.0


def check(peer: Peer, found: Running, world: World, best: Best) -> None:
    """That it gives the right lists, asked for some players.

    Raises:
        RuntimeError: it does not.
    """
    for player in world.players[:: max(1, len(world.players) // 10)]:
        answer = httpx.post(found.url, json=peer.body(player), timeout=30).raise_for_status()
        given = [item["game_id"] for item in peer.items(answer.json())]
        if given != [best.ids[column] for column in best.columns(player, 10)[0]]:
            raise RuntimeError(f"it answers other games than it must, to {player}: {given}")


def one_round(
    peer: Peer, bin: Path, folder: Path, *, world: World, best: Best, seconds: float
) -> Measured:
    """Start it, check it, warm it, measure it, end it."""
    with running(peer, bin, world.data, folder, world.players[0]) as found:
        check(peer, found, world, best)
        bodies = folder / "bodies.jsonl"
        bodies.write_text("".join(json.dumps(peer.body(p)) + "\n" for p in world.players))
        none = headers(folder / "headers.txt", "")
        wrk.measured(found, bodies, none, seconds=WARM_S)
        return wrk.measured(found, bodies, none, seconds=seconds)


def measured(world: World, asked: argparse.Namespace, folder: Path) -> tuple[Rounds, list[str]]:
    """The rounds of each, and what did not run with the reason."""
    best, found, failed = Best(world.data), defaultdict(list), []
    names = [name.strip() for name in asked.only.split(";") if name.strip()]
    left = {peer.name: peer for peer in ALL if not names or peer.name in names}
    ours = [each for each in CONTENDERS if each.name in (FLOOR, FLYBALL)]
    for number in range(asked.rounds):
        for contender in ours:
            found[contender.name].append(turn(world, contender, best, asked.seconds, 2))
        for peer in list(left.values()):
            try:
                bin = installed(peer, asked.environments)
                own = folder / f"{peer.name}-{number}"
                one = one_round(peer, bin, own, world=world, best=best, seconds=asked.seconds)
                if not one.clean:
                    raise RuntimeError(f"{one.refused} refused and {one.broken} broken requests")
            except RuntimeError as error:
                failed.append(f"{peer.name}: {error}")
                del left[peer.name]
                continue
            print(f"round {number + 1}, {peer.name}: {one.rate:,.0f}/s", file=sys.stderr)
            found[f"{peer.name} {version(peer, bin)}"].append(one)
    return found, failed


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each round")
    parser.add_argument("--only", default="", help="names of peers, between semicolons")
    place = Path(tempfile.gettempdir()) / "flyball-peers"
    parser.add_argument("--environments", type=Path, default=place, help="where they are installed")
    chosen = parser.parse_args()
    source = chosen.data / "steam-200k.csv"
    if not source.exists() or not wrk.installed():
        missing = "wrk (Debian: apt-get install wrk)" if source.exists() else f"{source} (--data)"
        print(f"not here: {missing}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        world = made(Path(folder), source)
        found, failed = measured(world, chosen, Path(folder))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(report(found))
    for line in failed:
        console.print(f"not measured: {line}", highlight=False)
    theirs = {name: rounds for name, rounds in found.items() if name not in (FLOOR, FLYBALL)}
    if not theirs:
        return 1
    fastest = max(theirs, key=lambda name: middle(theirs[name], "rate"))
    pairs = zip(found[FLYBALL], theirs[fastest], strict=False)
    shares = [ours.rate / other.rate for ours, other in pairs]
    what = f"Flyball's rate, times that of the best ({fastest})"
    times = Line(what=what, values=shares, least=TIMES, unit="x")
    return judged("Servers made for models", [times])


if __name__ == "__main__":
    sys.exit(main())
