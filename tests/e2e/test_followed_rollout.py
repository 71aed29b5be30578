"""``flyball deploy`` as an operator uses it: a real control process, and a real command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import console_home as homes
from console_process import DEADLINE_S, Control, control
from fake_worker import fake_worker
from flyball import Flyball
from flyball.domain.deployment import Deployment, Phase
from flyball.testing import builders as make

MODELS = ("aborted", "left", "elsewhere")
pytestmark = pytest.mark.xdist_group("console")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Flyball:
    """A home whose models are in the middle of a rollout."""
    home = tmp_path_factory.mktemp("followed") / "home"
    home.mkdir()
    (home / "flyball.toml").write_text("".join(f"[models.{model}]\n" for model in MODELS))
    found = homes.flyball(home, MODELS)
    tracker, artifact = found.platform.tracker, home.parent / "artifact"
    artifact.mkdir()
    (artifact / "manifest.json").write_text("{}")
    for model in MODELS:
        homes.furnish(found, model)
        homes.roll(found, model)
        run = make.a_run(model=model)
        tracked = tracker.record(run, params={}, metrics={}, trials=(), artifact=artifact)
        for version in (homes.NEW, homes.TRIED):
            tracker.register(replace(version, model=model), tracked)
    return found


@pytest.fixture(scope="module")
def running(installed: Flyball) -> Iterator[Control]:
    with fake_worker(installed), control(installed.platform.home) as found:
        yield found


@contextmanager
def following(home: Path, model: str) -> Iterator[subprocess.Popen[str]]:
    """``flyball deploy`` of the version that rolls, once it tells the step."""
    command = [sys.executable, "-m", "flyball.cli", "deploy", model, "1.2.0", "--home", str(home)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith("step 2 of 4: 25% of the users"):
                break
        else:
            pytest.fail(f"it ended: {''.join(told)}")
        yield process
    finally:
        process.kill()
        with process:  # closes its pipes
            process.wait(DEADLINE_S)


def test_ctrl_c_stops_following_and_not_the_rollout(installed: Flyball, running: Control) -> None:
    with following(installed.platform.home, "left") as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 128 + signal.SIGINT
    assert "the rollout goes on: `flyball status left` shows it" in said
    found = installed.platform.records.get(Deployment, "left/3")
    assert (found.phase, found.share) == (Phase.ROLLING, 0.25)


def test_a_withdrawal_ends_it_with_the_reason_and_exit_code_1(
    installed: Flyball, running: Control
) -> None:
    with following(installed.platform.home, "aborted") as process:
        installed.abort("aborted", "1.2.0", reason="odd covers")
        out, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert "rolled back: odd covers" in said
    assert "odd covers" in out


def test_a_decision_of_another_process_is_told(installed: Flyball, running: Control) -> None:
    with following(installed.platform.home, "elsewhere") as process:
        installed.hold("elsewhere", "1.2.0", reason="sale at noon")
        assert process.stderr is not None
        line = next(line for line in process.stderr if "held" in line)
    assert line.strip() == "held by operator:ada: sale at noon"
