"""``flyball doctor``: each finding says what to do, and it only looks."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flyball.cli.app import app
from flyball.doctor import Level, machine
from flyball.loop.lock import CONTROL, control_lock
from flyball.storage.tables import VERSION_TABLE
from flyball.testing.builders import NOON


def doctor(home: Path, **env: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code, and findings by name."""
    environment = {"FLYBALL_HOME": None, **env}
    ended = CliRunner().invoke(app, ["doctor", "--json", "--home", str(home)], env=environment)
    found = json.loads(ended.stdout)
    assert found["ok"] is (ended.exit_code == 0)
    return ended.exit_code, {check["name"]: check for check in found["checks"]}


def free_ports() -> dict[str, str]:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        ports = one.getsockname()[1], two.getsockname()[1]
    return {
        "FLYBALL_SERVER__PORT": str(ports[0]),
        "FLYBALL_SERVER__CONSOLE_PORT": str(ports[1]),
    }


def test_a_place_where_nothing_is_yet_is_well_and_stays_empty(tmp_path):
    code, found = doctor(tmp_path / "home", **free_ports())
    assert code == 0
    assert {check["level"] for check in found.values()} <= {"ok", "warn"}
    assert "not made yet" in found["home"]["detail"]
    assert not (tmp_path / "home").exists()
    assert set(found) >= {
        "python", "packages", "extra postgres", "machine", "configuration", "home", "disk",
        "database", "MLflow", "DVC cache", "port of the API", "port of the console",
        "control process", "clock",
    }  # fmt: skip


def test_a_wrong_configuration_fails_and_names_the_key(tmp_path):
    (tmp_path / "flyball.toml").write_text("[server]\nprot = 1\n")
    code, found = doctor(tmp_path)
    assert (code, found["configuration"]["level"]) == (1, "fail")
    assert "did you mean 'port'" in found["configuration"]["detail"]
    assert "database" not in found


def test_a_damaged_database_fails_with_what_to_do(tmp_path):
    (tmp_path / "flyball.sqlite").write_bytes(b"not a database, but long enough to be read as one")
    code, found = doctor(tmp_path, **free_ports())
    assert (code, found["database"]["level"]) == (1, "fail")
    assert "not a database" in found["database"]["detail"]
    assert found["database"]["advice"]


def test_a_database_of_another_revision_is_told_and_not_migrated(tmp_path):
    path = tmp_path / "flyball.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE {VERSION_TABLE} (version_num TEXT)")
        connection.execute(f"INSERT INTO {VERSION_TABLE} VALUES ('9999')")
    connection.close()
    before = path.read_bytes()
    _, found = doctor(tmp_path, **free_ports())
    assert found["database"]["level"] == "warn"
    assert "revision 9999" in found["database"]["detail"]
    assert path.read_bytes() == before


def test_a_port_in_use_is_a_warning_that_names_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {**free_ports(), "FLYBALL_SERVER__PORT": str(port)}
        code, found = doctor(tmp_path, **ports)
    assert (code, found["port of the API"]["level"]) == (0, "warn")
    assert str(port) in found["port of the API"]["detail"]


def test_a_running_control_process_is_named_and_may_hold_the_ports(tmp_path):
    with control_lock(tmp_path, CONTROL, now=NOON), socket.create_server(("127.0.0.1", 0)) as own:
        port = str(own.getsockname()[1])
        _, found = doctor(tmp_path, **{**free_ports(), "FLYBALL_SERVER__PORT": port})
    assert str(os.getpid()) in found["control process"]["detail"]
    assert found["port of the API"]["level"] == "ok"


def test_a_home_that_cannot_be_made_fails():
    code, found = doctor(Path("/dev/null/home"), **free_ports())
    assert (code, found["home"]["level"]) == (1, "fail")
    assert "not a directory" in found["home"]["detail"]


def test_an_unreachable_mlflow_server_fails_with_its_address(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
    code, found = doctor(tmp_path, FLYBALL_MLFLOW=closed, **free_ports())
    assert (code, found["MLflow"]["level"]) == (1, "fail")
    assert closed in found["MLflow"]["detail"]


@pytest.mark.parametrize(("ahead", "level"), [(3600, Level.FAIL), (5, Level.OK), (-3600, Level.OK)])
def test_a_clock_behind_the_ledger_fails(ahead, level):
    assert machine.clock(NOON + timedelta(seconds=ahead), NOON).level is level


def test_a_missing_distribution_is_told():
    [finding] = machine.packages("flyball-of-another-planet")
    assert finding.level is Level.FAIL
