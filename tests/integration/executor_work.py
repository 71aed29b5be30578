"""What the tests of the executor ask child processes to do; it imports little, to start fast."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flyball.errors import FlyballError, StaleWrite, TrainingError


def answer(request: Mapping[str, Any]) -> Any:
    sys.stdout.write("what a library prints\n")
    return {"twice": request["number"] * 2, "pid": os.getpid()}


def refuse(request: Mapping[str, Any]) -> Any:
    raise {"TrainingError": TrainingError, "StaleWrite": StaleWrite}[request["kind"]]("no: é")


class HomeMade(FlyballError):
    """An error of an application's own."""


def refuse_by_own_error(request: Mapping[str, Any]) -> Any:
    raise HomeMade("our own reason")


def raise_anything(request: Mapping[str, Any]) -> Any:
    raise ZeroDivisionError("nobody foresaw this")


def answer_no_json(request: Mapping[str, Any]) -> Any:
    return object()


def write_over_the_answer(request: Mapping[str, Any]) -> Any:
    os.write(int(sys.argv[1]), b"garbage{")
    os._exit(0)


def kill_oneself(request: Mapping[str, Any]) -> Any:
    sys.stderr.write("last words\n")
    sys.stderr.flush()
    os.kill(os.getpid(), request["signal"])
    signal.pause()


def hang_with_a_child(request: Mapping[str, Any]) -> Any:
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    Path(request["pids"]).write_text(f"{os.getpid()} {child.pid}")
    signal.pause()
