"""Eight models roll out at once: how much of a core does the control process's controller take?

The controller runs in a process of its own and looks at eight rollouts, each with real records in
one SQLite database. Another process writes what two workers would: a window every quarter of a
second for each worker, model and version, with the tags of those who were answered, at ``--rate``
requests a second and model, and clicks. Nothing passes a step meanwhile (the rollouts are held),
so that all eight are judged all the time.

    python -m benchmarks.control_cost [--models 8] [--rate 100] [--seconds 60]

Exits 1 where it takes more than half of a core.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks.table import Line, judged
from flyball import configuration, wiring
from flyball.domain.deployment import Deployment, Phase, Shift
from flyball.domain.lifecycle import State
from flyball.domain.routing import Route, Slot, SlotPhase, SlotStatus, WorkerStatus
from flyball.domain.traffic import Event as Happened
from flyball.domain.traffic import EventType, Window
from flyball.loop.controller import Controller
from flyball.ports import Change
from flyball.stats import latency
from flyball.testing.builders import a_version
from flyball.wiring import Platform

WORKERS = ("w:1", "w:2")
WIDTH_S = 0.25
SHARE = 0.05
USERS = 20_000
CLICKS = 0.05
PROCESSES = get_context("spawn")


def name(number: int) -> str:
    return f"model-{number}"


def platform_of(home: Path, models: int) -> Platform:
    text = "".join(f"[models.{name(n)}]\n" for n in range(models))
    home.mkdir(parents=True, exist_ok=True)
    (home / "flyball.toml").write_text(text)
    return wiring.build(configuration.load(home))


def begun(platform: Platform, models: int) -> None:
    """Every model in the first step of a rollout."""
    now = datetime.now(UTC)
    for number in range(models):
        model = name(number)
        old = a_version("1.0.0", model=model, state=State.PRODUCTION)
        new = a_version("1.0.1", model=model, state=State.MONITORING)
        deployment = Deployment(
            model=model,
            version=new.name,
            ordinal=1,
            replaces=old.name,
            strategy="canary",
            started_at=now,
            moved_at=now,
            phase=Phase.ROLLING,
            steps=(SHARE, 1.0),
            shifts=(Shift(share=SHARE, at=now, applied_at=now),),
            slow_above_s=0.02,
            held="a benchmark",
        )
        route = Route(
            model=model,
            generation=2,
            slots={Slot.BLUE: old.name, Slot.GREEN: new.name},
            live=Slot.BLUE,
            challenger_share=SHARE,
            salt=deployment.id,
            slow_above_s=0.02,
        )
        values = (old, new, deployment, route)
        platform.records.commit([Change(value=value) for value in values])


def statuses(models: int) -> list[WorkerStatus]:
    """What two workers report."""
    ready = {
        f"{name(n)}/{slot}": SlotStatus(
            version=a_version(number, model=name(n)).name, phase=SlotPhase.READY
        )
        for n in range(models)
        for slot, number in (("blue", "1.0.0"), ("green", "1.0.1"))
    }
    now = datetime.now(UTC)
    applied = {name(n): 2 for n in range(models)}
    return [
        WorkerStatus(worker=w, url="", started_at=now, seen_at=now, applied=applied, slots=ready)
        for w in WORKERS
    ]


def serve(home: Path, models: int, rate: float, stop: Event) -> None:
    """Write what two workers would."""
    chance = random.Random(1)
    with closing(platform_of(home, models)) as platform:
        last: list[WorkerStatus | None] = [None] * len(WORKERS)
        number = 0
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due += WIDTH_S
            for place, status in enumerate(statuses(models)):
                platform.records.commit([Change(value=status, replacing=last[place])])
                last[place] = status
            for worker in WORKERS:
                windows = [
                    made
                    for n in range(models)
                    for made in quarter(chance, name(n), worker, rate / len(WORKERS))
                ]
                platform.events.add_windows(windows)
            clicks = int(models * rate * WIDTH_S * CLICKS)
            platform.events.append([clicked(chance, models, number + k) for k in range(clicks)])
            number += clicks


def quarter(chance: random.Random, model: str, worker: str, rate: float) -> Iterator[Window]:
    """Both versions' windows of one worker."""
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(
        seconds=WIDTH_S * int(datetime.now(UTC).microsecond / 1e6 / WIDTH_S)
    )
    for number, share in (("1.0.0", 1.0 - SHARE), ("1.0.1", SHARE)):
        requests = max(1, round(rate * WIDTH_S * share))
        tags = sorted({chance.randrange(USERS) * 7919 for _ in range(requests)})
        counts = latency.add(latency.empty(), [chance.lognormvariate(-5.5, 0.5)] * requests)
        yield Window(
            model=model,
            version=a_version(number, model=model).name,
            worker=worker,
            start=start,
            seconds=WIDTH_S,
            requests=requests,
            errors=0,
            latency=tuple(counts),
            units={
                "seen": tuple(tags),
                "slow": tuple(t for t in tags if chance.random() < 0.05),
            },
            salt=f"{model}/1",
        )


def clicked(chance: random.Random, models: int, number: int) -> Happened:
    """A click that names no answer of ours: it is read, checked and left out."""
    now = datetime.now(UTC)
    return Happened(
        event_id=f"e{number}",
        model=name(chance.randrange(models)),
        type=EventType.CLICK,
        user_id=f"user-{chance.randrange(USERS)}",
        item_id="portal-2",
        recommendation_id="0" * 34 + ".1.0.0-00000000-00000000",
        timestamp=now,
        received_at=now,
    )


def control(home: Path, models: int, stop: Event) -> None:
    """A control process's controller, until it is stopped."""
    with closing(platform_of(home, models)) as platform:
        controller = Controller(platform)
        controller.start()
        stop.wait()
        controller.close()


@contextmanager
def running(target: object, *arguments: object) -> Iterator[int]:
    """A process of its own; its id."""
    stop = PROCESSES.Event()
    process = PROCESSES.Process(target=target, args=(*arguments, stop))  # type: ignore[arg-type]
    process.start()
    try:
        yield process.pid or 0
    finally:
        stop.set()
        process.join(20)


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args()
    pause, shares = threading.Event(), []
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        home = Path(folder) / "home"
        with closing(platform_of(home, chosen.models)) as platform:
            begun(platform, chosen.models)
            with (
                running(serve, home, chosen.models, chosen.rate),
                running(control, home, chosen.models) as pid,
            ):
                pause.wait(8.0)  # it starts, and reads what is there
                for _ in range(max(1, chosen.seconds // 5)):
                    before, began = cpu_s(pid), time.monotonic()
                    pause.wait(5.0)
                    shares.append((cpu_s(pid) - before) / (time.monotonic() - began))
            held = [d for d in platform.records.find(Deployment) if d.phase is Phase.ROLLING]
    assert len(held) == chosen.models, "a rollout ended: what was measured is less than all"
    what = f"of a core, {chosen.models} rollouts at {chosen.rate:g} requests/s each"
    return judged("The controller", [Line(what=what, values=shares, limit=0.5, unit="")])


if __name__ == "__main__":
    sys.exit(main())
