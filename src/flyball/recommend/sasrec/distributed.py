"""Training on several processes of this machine, with torch.distributed (gloo).

Each process has all of the data, mapped from disk, and its part of every batch. When one of them
fails, is killed or stands still, all end and the caller is told why; started again, the training
goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from numpy.typing import NDArray

from flyball.errors import FlyballError, StorageUnavailable, TrainingError
from flyball.recommend.sasrec.config import SasRecConfig
from flyball.recommend.sasrec.extra import required
from flyball.recommend.sasrec.keeping import Keeper, write_safely
from flyball.recommend.sasrec.lessons import Lesson
from flyball.recommend.sasrec.training import learn

STALL_S = 600.0
"""Seconds that a process may keep the others waiting, for example while it judges an epoch."""

START_S = 600.0
"""Seconds that one may need to start after the others: importing torch takes long if all do."""

GRACE_S = 3.0
"""Seconds that the others have to end by themselves."""


def learn_together(
    lesson: Lesson,
    config: SasRecConfig,
    keeper: Keeper | None,
    *,
    stall_s: float = STALL_S,
) -> tuple[dict[str, NDArray[Any]], int]:
    """As ``training.learn``, by ``config.processes`` processes.

    Raises:
        TrainingError: one of them failed; says which, and in its words.
        StorageUnavailable: the disk refused the files by which they are told what to do.
    """
    beside = None if keeper is None else keeper.directory
    prefix = "sasrec-" if keeper is None else f"sasrec-{keeper.request}-job-"
    with _job(beside, prefix) as job:
        lesson.save(job)
        told = {
            "config": config.model_dump(mode="json"),
            "keeper": None if keeper is None else [str(beside), keeper.request],
            "stall_s": stall_s,
        }
        write_safely(job / "job.json", json.dumps(told).encode())
        _run(job, config.processes)
        weights = required("safetensors.numpy").load_file(job / "weights.safetensors")
        return weights, int((job / "epochs").read_text())


@contextmanager
def _job(beside: Path | None, prefix: str) -> Iterator[Path]:
    """A folder by which the processes are told what to do, and tell what they made."""
    try:
        if beside is not None:
            beside.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix=prefix, dir=beside)
    except OSError as error:
        where = beside or tempfile.gettempdir()
        raise StorageUnavailable(
            f"a folder for a training cannot be made in {where}: {error}; "
            "free some space or choose a writable home"
        ) from error
    with made as name:
        yield Path(name)


def _run(job: Path, size: int) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=_work, args=(rank, str(job), size), daemon=True)
        for rank in range(size)
    ]
    try:
        for process in processes:
            process.start()
        codes = _ended(processes)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join()
    if any(code != 0 for code in codes):
        raise TrainingError(
            f"{_cause(job, codes)}; start the training again: with checkpoints it goes on after "
            "the last whole epoch"
        )


def _ended(processes: Sequence[SpawnProcess]) -> list[int | None]:
    """Their exit codes, once all have ended; or one has failed, and the others had some time."""
    running = {process.sentinel: process for process in processes}
    failed = False
    while running and not failed:
        for sentinel in wait(list(running)):
            process = running.pop(cast(int, sentinel))
            process.join()
            failed |= process.exitcode != 0
    deadline = time.monotonic() + GRACE_S
    for process in running.values():
        process.join(max(0.0, deadline - time.monotonic()))
    return [process.exitcode for process in processes]


def _cause(job: Path, codes: Sequence[int | None]) -> str:
    """Which process failed first, and why: the others only lost their connection to it."""
    said = [json.loads(path.read_text(encoding="utf-8")) for path in job.glob("failed-*.json")]
    spoken = {word["rank"] for word in said}
    of = f"of {len(codes)} training processes"
    for rank, code in enumerate(codes):
        if code and rank not in spoken:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            return f"process {rank + 1} {of} {how}"
    if None in codes:
        return f"process {codes.index(None) + 1} {of} stood still, so that the others gave up"
    first = min(said, key=lambda word: word["at"])
    return f"process {first['rank'] + 1} {of} failed: {first['words']}"


# --- in the processes ---------------------------------------------------------------------------


class _Gloo:
    """A group of processes on this machine."""

    def __init__(self, rank: int, size: int, stall_s: float) -> None:
        self.rank, self.size = rank, size
        self._group = dist.new_group(timeout=timedelta(seconds=stall_s))

    def add_up(self, values: Any) -> None:
        dist.all_reduce(values, group=self._group)

    def told(self, value: float) -> float:
        one = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(one, src=0, group=self._group)
        return float(one)


def _work(rank: int, job: str, size: int) -> None:
    """One process: learn, and (the first of them) write the weights."""
    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()
    try:
        _learn(rank, Path(job), size)
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller must hear of it
        words = str(error)
        if not isinstance(error, FlyballError):
            words = f"{type(error).__name__}: {words}"
        said = {"rank": rank, "words": words.strip(), "at": time.monotonic()}
        write_safely(Path(job) / f"failed-{rank}.json", json.dumps(said).encode())
        sys.exit(1)


def _learn(rank: int, job: Path, size: int) -> None:
    told = json.loads((job / "job.json").read_text(encoding="utf-8"))
    keeper = None if told["keeper"] is None else Keeper(Path(told["keeper"][0]), told["keeper"][1])
    os.environ["GLOO_SOCKET_IFNAME"] = _loopback()
    dist.init_process_group(
        "gloo",
        init_method=f"file://{job / 'meeting'}",  # a file: no port that another may have taken
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=START_S),
    )
    config = SasRecConfig.model_validate(told["config"])
    weights, epochs = learn(Lesson.load(job), config, _Gloo(rank, size, told["stall_s"]), keeper)
    if rank == 0:
        content = required("safetensors.numpy").save(weights)
        write_safely(job / "weights.safetensors", content)
        write_safely(job / "epochs", str(epochs).encode())
    dist.barrier()
    dist.destroy_process_group()


def _loopback() -> str:
    """The name of the loopback interface: nothing listens beyond this machine."""
    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in names if name.startswith("lo")), names[0])


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
