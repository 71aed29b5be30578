"""``flyball init``: a file that explains itself, loads, and never overwrites."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from flyball import configuration
from flyball.cli import main
from flyball.cli.app import app
from flyball.cli.config_file import settings as every_setting
from flyball.settings import Settings


def written(directory: Path) -> str:
    assert CliRunner().invoke(app, ["init", str(directory)]).exit_code == 0
    return (directory / "flyball.toml").read_text()


def test_the_file_loads_and_changes_nothing(tmp_path):
    written(tmp_path)
    bare = configuration.load(tmp_path / "elsewhere", environ={})
    found = configuration.load(tmp_path, environ={})
    assert found.model_dump(exclude={"home"}) == bare.model_dump(exclude={"home"})


def test_every_line_is_the_default_it_claims_to_be(tmp_path):
    text = written(tmp_path)
    assert re.search(r"^# port = 8000$", text, re.M)
    uncommented = re.sub(r"^# (\w+ = .*)$", r"\1", text, flags=re.M)
    assert uncommented != text
    (tmp_path / "flyball.toml").write_text(uncommented)
    found = configuration.load(tmp_path, environ={})
    assert found.model_dump(exclude={"home"}) == Settings().model_dump(exclude={"home"})


def test_every_setting_is_there_with_its_variable(tmp_path):
    text = written(tmp_path)
    for setting in every_setting():
        if setting.name != "home":
            assert f"# {setting.key} = {setting.default}" in text
            assert setting.variable in text


def test_a_variable_named_in_the_file_sets_what_it_says():
    by_name = {setting.name: setting for setting in every_setting()}
    trials = by_name["models.games.search.trials"]
    found = configuration.load(Path("nowhere"), environ={trials.variable: "3"})
    assert found.models["games"].search.trials == 3


def test_a_file_that_is_there_is_left_as_it_is(tmp_path, capsys):
    (tmp_path / "flyball.toml").write_text("# mine\n")
    assert main(["init", str(tmp_path)]) == 2
    assert "was left as it is" in capsys.readouterr().err
    assert (tmp_path / "flyball.toml").read_text() == "# mine\n"


def test_a_place_that_is_no_directory_is_an_environment_failure(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file")]) == 3
    assert "not a directory" in capsys.readouterr().err.lower()


def test_without_a_directory_it_goes_where_flyball_would_look(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYBALL_HOME", raising=False)
    assert main(["init"]) == 0
    assert main(["init", "--home", "shop"]) == 0
    assert (tmp_path / "flyball.toml").exists()
    assert (tmp_path / "shop" / "flyball.toml").exists()
