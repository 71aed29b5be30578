"""The command line on real homes, as its own process: right exit code, one clear line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flyball import Flyball
from flyball.loop.lock import CONTROL, control_lock, holder
from flyball.testing.builders import NOON
from flyball.testing.games import some_purchases
from warm_start import flyball

FLYBALL = (sys.executable, "-m", "flyball.cli")


def command_line(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``flyball`` in a directory, without this session's own settings."""
    return flyball(*arguments, cwd=cwd, env=_environment(env), timeout=120)


def _environment(env: dict[str, str]) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("FLYBALL_")}
    if ours.pop("PYTHONDONTWRITEBYTECODE", ""):  # else every process compiles all it imports
        ours["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "flyball-bytecode")
    return {**ours, **env}


def refused(ended: subprocess.CompletedProcess[str], code: int) -> str:
    """The error's line of a command that ended as it should: with that code and no traceback."""
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    return ended.stderr.strip().splitlines()[-1]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "purchases.csv"
    some_purchases().write_csv(path)
    return path


class TestBadInput:
    """Nothing is stored of it, and the line says which file and what to do."""

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (None, "there is no file"),
            ("user_id,title\nada,Pok\u00e9mon\n".encode("latin-1"), "UTF-8"),
        ],
        ids=["missing", "wrong encoding"],
    )
    def test_is_refused_in_one_line(self, tmp_path, content, says):
        """Every other kind of bad file: ``tests/gameday/test_bad_input.py``."""
        path = tmp_path / "bad.csv"
        if content is not None:
            path.write_bytes(content)
        ended = command_line("ingest", "games", "bad.csv", cwd=tmp_path)
        line = refused(ended, 2 if content is None else 1)
        assert "bad.csv" in line
        assert says.lower() in line.lower()
        assert Flyball(tmp_path / ".flyball").ledger() == []

    def test_an_unknown_model_names_the_nearest(self, tmp_path):
        line = refused(command_line("status", "game", cwd=tmp_path), 2)
        assert "did you mean 'games'" in line

    def test_an_unknown_version_says_where_to_look(self, tmp_path):
        line = refused(command_line("deploy", "games", "1.0.0-01234567-01234567", cwd=tmp_path), 2)
        assert "flyball versions games" in line

    def test_an_unknown_key_of_the_settings_is_named_with_its_line(self, tmp_path):
        (tmp_path / "flyball.toml").write_text("[server]\nworkers = 2\nprot = 8001\n")
        line = refused(command_line("status", cwd=tmp_path), 2)
        assert "flyball.toml, line 3" in line
        assert "did you mean 'port'" in line

    def test_a_wrong_variable_is_named(self, tmp_path):
        ended = command_line("status", cwd=tmp_path, FLYBALL_SERVER__PORT="many")
        assert "FLYBALL_SERVER__PORT" in refused(ended, 2)


class TestAFailedEnvironment:
    """Exit code 3, and what to change."""

    def test_a_home_that_cannot_be_written_says_so(self, tmp_path):
        (tmp_path / "file").write_text("")
        line = refused(command_line("status", "--home", "file/home", cwd=tmp_path), 3)
        assert "file/home" in line
        assert "--home" in line

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system of that kind")
    def test_not_even_an_administrator_writes_to_a_read_only_place(self, tmp_path):
        refused(command_line("ledger", "--home", "/proc/flyball", cwd=tmp_path), 3)

    def test_a_damaged_database_says_so(self, tmp_path):
        (tmp_path / "flyball.sqlite").write_bytes(b"nothing that a database would say" * 100)
        line = refused(command_line("versions", "games", "--home", ".", cwd=tmp_path), 3)
        assert "flyball.sqlite" in line

    @pytest.mark.parametrize("option", ["--port", "--console-port"])
    def test_a_port_in_use_is_named_and_nothing_is_started(self, tmp_path, option):
        other = "--console-port" if option == "--port" else "--port"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            ended = command_line("up", option, port, other, "0", "--home", "home", cwd=tmp_path)
        line = refused(ended, 3)
        assert port in line
        assert option in line
        assert holder(tmp_path / "home") is None
        assert not (tmp_path / "home" / "flyball.sqlite").exists()

    def test_a_home_that_is_held_is_refused_at_once_with_its_holder(self, tmp_path):
        ports = ("--port", "0", "--console-port", "0")
        with control_lock(tmp_path / "home", CONTROL, now=NOON):
            ended = command_line("up", *ports, "--home", "home", cwd=tmp_path)
        assert f"process {os.getpid()}" in refused(ended, 3)

    def test_a_turn_cannot_be_left_to_nobody(self, tmp_path, data):
        line = refused(command_line("run", "games", data.name, "--no-wait", cwd=tmp_path), 2)
        assert "flyball up" in line


class TestOneBatch:
    """From a file to the ledger, by separate commands on one home."""

    def test_is_stored_once_and_seen_by_all_commands(self, tmp_path, data):
        first = command_line("ingest", "games", data.name, "--json", cwd=tmp_path)
        assert first.returncode == 0, first.stderr
        [one] = json.loads(first.stdout)
        assert one["new"] is True
        second = command_line("ingest", "games", data.name, cwd=tmp_path)
        assert second.returncode == 0
        assert f"same batch as before: {one['batch']['batch_id']}" in second.stdout
        [row] = json.loads(command_line("ledger", "--json", cwd=tmp_path).stdout)
        assert row["entry"]["action"] == "ingest"
        verified = command_line("ledger", "verify", "--json", cwd=tmp_path)
        assert json.loads(verified.stdout) == {"rows": 1, "verified": True}
        status = json.loads(command_line("status", "--json", cwd=tmp_path).stdout)
        assert status["models"][0]["dataset"]["rows"] == one["batch"]["rows"]

    def test_cannot_be_named_like_another(self, tmp_path, data):
        (tmp_path / "other.csv").write_text("\n".join(data.read_text().splitlines()[:-3]))
        named = ("--batch-id", "monday")
        assert command_line("ingest", "games", data.name, *named, cwd=tmp_path).returncode == 0
        line = refused(command_line("ingest", "games", "other.csv", *named, cwd=tmp_path), 1)
        assert "monday" in line


@contextmanager
def started(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*FLYBALL, *arguments],
        cwd=cwd,
        env=_environment({"FLYBALL_MODELS__GAMES__SEARCH__TRIALS": "500"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


TRIALS = {"FLYBALL_MODELS__GAMES__SEARCH__TRIALS": "1"}


class TestCtrlC:
    """At once, and nothing is lost."""

    def test_ends_long_work_with_one_line_and_lets_the_home_go(self, tmp_path, data):
        with started("run", "games", data.name, "--home", "home", cwd=tmp_path) as process:
            assert process.stderr is not None
            told = iter(process.stderr.readline, "")
            assert any(line.startswith("train ...") for line in told)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 130
            rest = process.stderr.read()
        assert rest.splitlines()[-1] == "stopped; the same command goes on from here"
        assert holder(tmp_path / "home") is None
        again = command_line(
            "ingest", "games", data.name, "--home", "home", cwd=tmp_path, **TRIALS
        )  # after what was under way, so that this is short
        assert "same batch as before" in again.stdout, again.stderr


def test_help_needs_nothing_heavy(tmp_path):
    """What makes it quick: none of the packages that take their time are imported."""
    code = (
        "import sys; from flyball.cli import main; main(['--help']); "
        "print(sorted({'pydantic', 'rich', 'sqlalchemy', 'dbos', 'polars', 'numpy', 'structlog'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_status_needs_no_engine_and_no_numerics(tmp_path):
    code = (
        "import sys; from flyball.cli import main; main(['status', '--home', 'home']); "
        "print(sorted({'dbos', 'polars', 'numpy', 'scipy', 'mlflow', 'dvc_data', 'structlog', "
        "'alembic'} & set(sys.modules)))"
    )
    command_line("status", "--home", "home", cwd=tmp_path)  # the tables are made by now
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=_environment({}), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
