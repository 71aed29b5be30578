"""Where a server refuses to listen: anywhere that anybody, or nobody, could then use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from toy import COMMAND, ToyHome

from flyball.access.verbs import Access
from flyball.cli import household
from flyball.configuration import KEY
from flyball.console.guard import own_host
from flyball.domain.access import Scope
from flyball.errors import ConfigurationError
from flyball.verbs import Flyball

EVERYWHERE = '[server]\nhost = "0.0.0.0"\n'


def configured(folder: Path, text: str) -> ToyHome:
    home = ToyHome(folder / "home")
    with (home.home / "flyball.toml").open("a") as file:
        file.write(text)
    return home


def with_a_key(home: ToyHome) -> str:
    access = Access(home.records, home.platform.clock, "operator:test")
    return access.create_key("shop", [Scope.READ, Scope.EVENTS]).text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (EVERYWHERE + "[access]\nrequired = false\n", "access.required is false"),
        (EVERYWHERE, "there are none yet"),
        ("[access]\nrequired = true\n", "there are none yet"),
    ],
)
def test_a_worker_ends_before_it_listens_and_says_which_command_helps(tmp_path, text, why):
    home = configured(tmp_path, text)
    argv = [*COMMAND, "--home", str(home.home), "--port", "0"]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert why in ended.stderr
    assert "flyball access key create" in ended.stderr
    assert "Traceback" not in ended.stderr


class TestUp:
    """``flyball up`` refuses by itself, before it starts anything."""

    def test_refuses_as_a_worker_does(self, tmp_path):
        home = configured(tmp_path, EVERYWHERE + "[access]\nrequired = false\n")
        argv = [sys.executable, "-m", "flyball.cli", "up", "--home", str(home.home), "--port", "0"]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 2, ended.stderr
        assert "flyball access key create" in ended.stderr
        assert ended.stdout == ""

    def test_may_start_where_there_is_a_key(self, tmp_path):
        home = configured(tmp_path, EVERYWHERE)
        with Flyball(home=home.home) as flyball:
            with pytest.raises(ConfigurationError, match="none yet"):
                household.check(flyball, sample=False)
            with_a_key(home)
            household.check(flyball, sample=False)

    def test_names_a_redis_that_cannot_be_one_before_it_starts_anything(self, tmp_path):
        home = configured(
            tmp_path, '[access]\nrequired = true\nlimits = "redis://127.0.0.1:port"\n'
        )
        with_a_key(home)
        with (
            Flyball(home=home.home) as flyball,
            pytest.raises(ConfigurationError, match=r"access\.limits"),
        ):
            household.check(flyball, sample=False)

    def test_needs_a_key_for_its_players(self, tmp_path, monkeypatch):
        monkeypatch.delenv(KEY, raising=False)
        home = ToyHome(tmp_path / "home")
        key = with_a_key(home)
        games = '[models.games]\napplication = "games"\n[access]\nrequired = true\n'
        (home.home / "flyball.toml").write_text(games)
        with Flyball(home=home.home) as flyball:
            with pytest.raises(ConfigurationError, match=f"{KEY}.*--no-simulate"):
                household.check(flyball, sample=True, players=True)
            assert household.is_locked(flyball)
            household.check(flyball, sample=True, players=False)
            monkeypatch.setenv(KEY, key)
            household.check(flyball, sample=True, players=True)
            assert not household.is_locked(flyball)


@pytest.mark.parametrize(
    ("api", "console"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1")],
)
def test_the_console_stays_on_this_machine_wherever_the_api_listens(api, console):
    assert own_host(api) == console
