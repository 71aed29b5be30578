"""A function in a separate process: its answers, its failures, and that it never outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from executor_work import (
    answer,
    answer_no_json,
    hang_with_a_child,
    kill_oneself,
    raise_anything,
    refuse,
    refuse_by_own_error,
    write_over_the_answer,
)

from flyball.errors import (
    ConfigurationError,
    EnvironmentFailed,
    FlyballError,
    StaleWrite,
    TrainingError,
)
from flyball.executors.local import LocalExecutor

HERE = Path(__file__)


def this(function: Any) -> str:
    return f"executor_work:{function.__name__}"


def until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        pause.wait(0.02)


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor(environment={"PYTHONPATH": str(HERE.parent)})


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


class TestACall:
    """What a caller gets back."""

    def test_answers_with_the_functions_result_from_another_process(self, executor):
        got = executor.call(this(answer), {"number": 21}, timeout_s=30)
        assert got["twice"] == 42
        assert got["pid"] != os.getpid()

    def test_carries_large_requests_and_answers(self, executor):
        got = executor.call(this(answer), {"number": "x" * 3_000_000}, timeout_s=30)
        assert len(got["twice"]) == 6_000_000

    @pytest.mark.parametrize("kind", [TrainingError, StaleWrite])
    def test_raises_the_error_that_the_function_raised(self, executor, kind):
        with pytest.raises(kind, match="no: é"):
            executor.call(this(refuse), {"kind": kind.__name__}, timeout_s=30)

    def test_raises_the_root_error_for_a_kind_that_only_the_child_knows(self, executor):
        with pytest.raises(FlyballError, match="our own reason"):
            executor.call(this(refuse_by_own_error), {}, timeout_s=30)

    @pytest.mark.parametrize("name", ["no_such_module:f", "executor_work:missing", "nothing"])
    def test_says_which_function_cannot_be_found(self, executor, name):
        with pytest.raises(ConfigurationError, match=name):
            executor.call(name, {}, timeout_s=30)


class TestAFailure:
    """It stays in the child, and its reason comes back."""

    def test_quotes_the_traceback_of_an_unforeseen_error(self, executor):
        with pytest.raises(EnvironmentFailed, match="nobody foresaw this"):
            executor.call(this(raise_anything), {}, timeout_s=30)

    def test_says_when_a_result_is_not_json(self, executor):
        with pytest.raises(EnvironmentFailed, match="not JSON serializable"):
            executor.call(this(answer_no_json), {}, timeout_s=30)

    def test_says_when_the_answer_is_unreadable(self, executor):
        with pytest.raises(EnvironmentFailed, match="not JSON"):
            executor.call(this(write_over_the_answer), {}, timeout_s=30)

    def test_says_killed_perhaps_out_of_memory(self, executor):
        with pytest.raises(EnvironmentFailed, match=r"killed, perhaps .* memory.*last words"):
            executor.call(this(kill_oneself), {"signal": signal.SIGKILL}, timeout_s=30)

    def test_names_the_signal_of_a_crash(self, executor):
        with pytest.raises(EnvironmentFailed, match="SIGSEGV"):
            executor.call(this(kill_oneself), {"signal": signal.SIGSEGV}, timeout_s=30)

    def test_says_when_the_interpreter_cannot_be_started(self):
        with pytest.raises(EnvironmentFailed, match="/no/python cannot be started"):
            LocalExecutor(python="/no/python").call(this(answer), {}, timeout_s=30)

    def test_stops_a_hanging_child_and_its_children_at_the_deadline(self, executor, tmp_path):
        pids = tmp_path / "pids"
        started = time.monotonic()
        with pytest.raises(EnvironmentFailed, match="ran past 3 s"):
            executor.call(this(hang_with_a_child), {"pids": str(pids)}, timeout_s=3)
        assert time.monotonic() - started < 10
        found = [int(pid) for pid in pids.read_text().split()]
        assert len(found) == 2
        until(lambda: not any(runs(pid) for pid in found))


def test_a_child_ends_when_its_parent_is_killed(tmp_path):
    """However the parent ends: here by SIGKILL, when nobody can tidy up."""
    pids = tmp_path / "pids"
    script = textwrap.dedent(
        f"""
        from flyball.executors.local import LocalExecutor
        LocalExecutor().call("executor_work:hang_with_a_child", {{"pids": {str(pids)!r}}},
                             timeout_s=60)
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    try:
        until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        child, grandchild = map(int, pids.read_text().split())
        parent.kill()
        parent.wait()
        until(lambda: not runs(child))
    finally:
        parent.kill()
        parent.wait()
        if pids.exists():
            os.kill(int(pids.read_text().split()[1]), signal.SIGKILL)
    assert not runs(child)
    assert grandchild != child
