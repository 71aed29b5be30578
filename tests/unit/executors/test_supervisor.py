"""The supervisor keeps processes alive, says so when one ends, and stops them all."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flyball.executors.supervisor import Backoff, Child, Supervisor

QUICK = Backoff(first_s=0.05, most_s=0.2, healthy_s=60)
STUBBORN = """
    import pathlib, signal, sys
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path(sys.argv[1]).write_text("ready")
    while True:
        signal.pause()
"""
POLITE = """
    import pathlib, signal, sys
    def end(*_):
        pathlib.Path(sys.argv[1]).write_text("drained")
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    pathlib.Path(sys.argv[1]).write_text("ready")
    while True:
        signal.pause()
"""


def a_child(name: str, script: str, *arguments: str, **fields: object) -> Child:
    argv = [sys.executable, "-S", "-c", textwrap.dedent(script), *arguments]
    return Child(name=name, argv=argv, **fields)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        pause.wait(0.01)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def supervised(children: Sequence[Child], **fields: object) -> Iterator[Supervisor]:
    supervisor = Supervisor(children, **{"backoff": QUICK, **fields})
    stop = threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()
    try:
        yield supervisor
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


class TestACrashedChild:
    """It comes back, ever more slowly."""

    def test_is_started_again_with_a_line_that_says_why(self, tmp_path):
        ready = tmp_path / "ready"
        with capture_logs() as lines, supervised([a_child("web", POLITE, str(ready))]) as fleet:
            until(ready.exists)
            first = fleet.pids()["web"]
            os.kill(first, signal.SIGKILL)
            until(lambda: fleet.pids()["web"] not in (None, first))
        (line,) = [line for line in lines if line["log_level"] == "warning"]
        assert line["process"] == "web"
        assert line["pid"] == first
        assert line["ended_with"] == "signal SIGKILL"
        assert line["next_try_in_s"] == 0.05

    def test_does_not_disturb_its_siblings(self, tmp_path):
        one, two = tmp_path / "one", tmp_path / "two"
        children = [a_child("one", POLITE, str(one)), a_child("two", POLITE, str(two))]
        with supervised(children) as fleet:
            until(lambda: one.exists() and two.exists())
            before = fleet.pids()
            os.kill(before["one"], signal.SIGKILL)
            until(lambda: fleet.pids()["one"] not in (None, before["one"]))
            assert fleet.pids()["two"] == before["two"]

    def test_is_tried_more_slowly_each_time(self):
        with capture_logs() as lines, supervised([a_child("bad", "raise SystemExit(3)")]):
            until(lambda: len(lines) >= 4)
        assert [line["next_try_in_s"] for line in lines[:4]] == [0.05, 0.1, 0.2, 0.2]
        assert {line["ended_with"] for line in lines[:4]} == {"exit code 3"}

    def test_that_cannot_be_started_is_tried_like_one_that_crashed(self):
        child = Child(name="missing", argv=["/no/such/program"])
        with capture_logs() as lines, supervised([child]):
            until(lambda: lines)
        assert lines[0]["ended_with"] == "exit code 127"


class TestTheBackoff:
    """0.5 s, doubled with each crash in a row up to 30 s, forgotten after a healthy minute."""

    def test_doubles_up_to_its_end(self):
        waits, crashes = [], 0
        for _ in range(8):
            wait, crashes = Backoff().wait_s(crashes, 1.0)
            waits.append(wait)
        assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]

    def test_begins_anew_after_a_healthy_minute(self):
        assert Backoff().wait_s(7, 60.0) == (0.5, 1)

    def test_stands_ten_thousand_crashes(self):
        assert Backoff().wait_s(10_000, 0.0)[0] == 30.0


class TestStopping:
    """Everybody drains; who does not is killed; nobody is left."""

    def test_lets_children_drain(self, tmp_path):
        state = tmp_path / "state"
        with supervised([a_child("web", POLITE, str(state))]):
            until(state.exists)
        assert state.read_text() == "drained"

    def test_kills_those_that_do_not_stop_in_time(self, tmp_path):
        state = tmp_path / "state"
        with capture_logs() as lines:
            child = a_child("stubborn", STUBBORN, str(state))
            with supervised([child], grace_s=0.2) as fleet:
                until(state.exists)
                pid = fleet.pids()["stubborn"]
        assert not exists(pid)
        assert "killed" in lines[-1]["event"]
        assert fleet.pids() == {"stubborn": None}

    def test_does_not_wait_for_a_child_that_is_between_two_lives(self):
        slow = Backoff(first_s=600, most_s=600)
        with capture_logs() as lines, supervised([a_child("x", "")], backoff=slow):
            until(lambda: lines)
            started = time.monotonic()
        assert time.monotonic() - started < 5


class TestAChild:
    """What it inherits, and what it is tied to."""

    def test_gets_its_environment_and_descriptors(self, tmp_path):
        read_end, write_end = os.pipe()
        script = "import os; os.write(int(os.environ['FD']), b'hello'); os.read(0, 1)"
        child = a_child("x", script, env={"FD": str(write_end)}, pass_fds=(write_end,))
        with supervised([child]):
            assert os.read(read_end, 5) == b"hello"
        os.close(read_end)
        os.close(write_end)

    @pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
    def test_dies_with_a_supervisor_that_is_killed(self, tmp_path):
        state, pid_file = tmp_path / "state", tmp_path / "pid"
        stubborn = textwrap.dedent(STUBBORN)
        script = f"""
            import sys, threading
            from flyball.executors.supervisor import Child, Supervisor
            child = Child(name="x", argv=[sys.executable, "-S", "-c", {stubborn!r}, {str(state)!r}])
            fleet = Supervisor([child])
            def tell():
                import pathlib, time
                while not pathlib.Path({str(state)!r}).exists():
                    time.sleep(0.01)
                pathlib.Path({str(pid_file)!r}).write_text(str(fleet.pids()["x"]) + " ")
            threading.Thread(target=tell).start()
            fleet.run(threading.Event())
        """
        parent = os.spawnv(
            os.P_NOWAIT, sys.executable, [sys.executable, "-c", textwrap.dedent(script)]
        )
        try:
            until(lambda: pid_file.exists() and pid_file.read_text().endswith(" "))
        finally:
            os.kill(parent, signal.SIGKILL)
            os.waitpid(parent, 0)
        child = int(Path(pid_file).read_text())
        until(lambda: not exists(child))


HEART = """
    import os, select, signal, sys
    fd, beats = int(sys.argv[-1]), int(sys.argv[1])
    for _ in range(beats):
        os.write(fd, b".")
        select.select([], [], [], 0.1)
    signal.pause()
"""


class TestAHeartbeat:
    """Who does not beat any more hangs, whatever it is doing."""

    def test_that_stops_ends_the_process_and_starts_it_again(self):
        child = a_child("web", HEART, "3", hangs_after_s=0.5)
        with capture_logs() as lines, supervised([child]) as fleet:
            until(lambda: fleet.pids()["web"])
            first = fleet.pids()["web"]
            until(lambda: fleet.pids()["web"] not in (None, first))
        hung, ended = lines[:2]
        assert (hung["process"], hung["pid"], hung["silent_s"]) == ("web", first, 0.5)
        assert ended["ended_with"] == "signal SIGABRT"

    def test_that_goes_on_is_left_alone(self):
        child = a_child("web", HEART, "1000", hangs_after_s=5.0)
        with capture_logs() as lines, supervised([child]) as fleet:
            until(lambda: fleet.pids()["web"])
            threading.Event().wait(1.0)
        assert lines == []

    def test_may_take_its_time_to_begin(self):
        """A large model is read before the event loop turns."""
        child = a_child("web", HEART, "0", hangs_after_s=0.2)
        with capture_logs() as lines, supervised([child]) as fleet:
            until(lambda: fleet.pids()["web"])
            threading.Event().wait(1.0)
        assert lines == []

    def test_of_a_process_that_ignores_the_end_leads_to_a_kill(self, monkeypatch):
        monkeypatch.setattr("flyball.executors.supervisor._ABORT_S", 0.2)
        deaf = "import signal; signal.signal(signal.SIGABRT, signal.SIG_IGN)\n" + textwrap.dedent(
            HEART
        )
        child = a_child("web", deaf, "1", hangs_after_s=0.5)
        with capture_logs() as lines, supervised([child]):
            until(lambda: len(lines) >= 2)
        assert lines[1]["ended_with"] == "signal SIGKILL"


class TestAChildThatWaits:
    """It leaves the processor to those that are needed first."""

    def test_starts_once_all_others_beat(self, tmp_path):
        later = a_child("later", POLITE, str(tmp_path / "later"), waits_s=20.0)
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        held = f"open({str(gate)!r}).read()\n" + textwrap.dedent(HEART)
        early = a_child("early", HEART, "1000", hangs_after_s=5.0)
        late = a_child("late", held, "1000", hangs_after_s=5.0)
        with capture_logs() as lines, supervised([later, early, late]) as fleet:
            until(lambda: fleet.pids()["early"] and fleet.pids()["late"])
            threading.Event().wait(0.3)
            assert fleet.pids()["later"] is None
            gate.write_text("go on")
            until((tmp_path / "later").exists)
        assert lines == []

    def test_waits_no_longer_than_it_is_told(self, tmp_path):
        later = a_child("later", POLITE, str(tmp_path / "later"), waits_s=0.3)
        silent = a_child("silent", HEART, "0", hangs_after_s=5.0)
        with supervised([later, silent]):
            until((tmp_path / "later").exists)


class TestAChildThatAsks:
    """To be replaced by a fresh one, such as a worker that has grown."""

    def test_is_started_again_at_once(self):
        slow = Backoff(first_s=0.3, most_s=600)
        asks = "import select; select.select([], [], [], 0.5); raise SystemExit(75)"
        child = a_child("web", asks, again_at_once=(75,))
        with capture_logs() as lines, supervised([child], backoff=slow):
            until(lambda: len(lines) >= 3)
        assert {line["event"] for line in lines[:3]} == {"a process asked to be started again"}

    def test_right_after_its_start_waits_like_one_that_crashed(self):
        """Else it would be started again without end, as fast as the machine can."""
        child = a_child("web", "raise SystemExit(75)", again_at_once=(75,))
        with capture_logs() as lines, supervised([child], backoff=Backoff(first_s=5.0)):
            until(lambda: lines)
        assert lines[0]["next_try_in_s"] == 5.0
