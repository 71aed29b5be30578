"""Settings: the file, then the environment; whatever is wrong is refused with its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flyball.configuration import load
from flyball.errors import ConfigurationError
from flyball.settings import Settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a flyball.toml of its own."""
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def read(home: Path) -> Callable[..., Settings]:
    """``read(text, **variables)``: the settings of a home with that flyball.toml."""

    def reads(text: str = "", **environ: str) -> Settings:
        (home / "flyball.toml").write_text(text, encoding="utf-8")
        return load(home, environ=environ)

    return reads


Read = Callable[..., Settings]


class TestWhereSettingsComeFrom:
    """Defaults, then the file, then FLYBALL_* variables."""

    def test_without_any_the_defaults_hold(self, home: Path) -> None:
        settings = load(home, environ={})
        assert settings == Settings(home=home)
        assert settings.server.port == 8000
        assert list(settings.models) == ["games"]

    def test_the_file_beats_the_defaults(self, read: Read) -> None:
        settings = read("[server]\nport = 9000\n[models.games.search]\ntrials = 3\n")
        assert settings.server.port == 9000
        assert settings.server.console_port == 8080
        assert settings.model("games").search.trials == 3

    def test_the_environment_beats_the_file(self, read: Read) -> None:
        text = "[server]\nport = 9000\nworkers = 3\n"
        settings = read(text, FLYBALL_SERVER__PORT="9100", FLYBALL_MODELS__GAMES__SEARCH__SEED="1")
        assert (settings.server.port, settings.server.workers) == (9100, 3)
        assert settings.model("games").search.seed == 1

    def test_a_variable_may_hold_json(self, read: Read) -> None:
        settings = read(FLYBALL_MODELS='{"adult": {"application": "tabular"}}')
        assert settings.model("adult").application == "tabular"

    def test_other_variables_are_left_alone(self, read: Read) -> None:
        assert read(PATH="/bin", FLYBALL_TEST_DATA="/data") == read()

    def test_the_file_may_lie_in_the_working_directory(self, home: Path, elsewhere: Path) -> None:
        (elsewhere / "flyball.toml").write_text("[server]\nport = 1\n")
        assert load(home, environ={}).server.port == 1
        (home / "flyball.toml").write_text("[server]\nport = 2\n")
        assert load(home, environ={}).server.port == 2


class TestTheHome:
    """Given, else FLYBALL_HOME, else .flyball; and what lies in it by default."""

    def test_that_is_given_wins(self, tmp_path: Path) -> None:
        environ = {"FLYBALL_HOME": str(tmp_path / "other")}
        assert load(tmp_path / "given", environ=environ).home == tmp_path / "given"
        assert load(environ=environ).home == tmp_path / "other"
        assert load(environ={"FLYBALL_HOME": ""}).home == Path(".flyball")

    def test_holds_everything_by_default(self, home: Path) -> None:
        settings = load(home, environ={})
        assert settings.database_url == f"sqlite:///{home}/flyball.sqlite"
        assert settings.mlflow_uri == f"sqlite:///{home}/mlflow.sqlite"
        assert settings.artifacts_dir == home / "artifacts"

    def test_that_is_relative_means_the_same_after_a_change_of_directory(
        self, tmp_path: Path, elsewhere: Path
    ) -> None:
        assert load(environ={}).database_url == f"sqlite:///{elsewhere}/.flyball/flyball.sqlite"

    def test_may_hold_only_some(self, read: Read) -> None:
        settings = read('database = "postgresql+psycopg://h/d"\nartifacts = "/srv/a"\nmlflow="x"')
        assert settings.database_url == "postgresql+psycopg://h/d"
        assert settings.artifacts_dir == Path("/srv/a")
        assert settings.mlflow_uri == "x"

    def test_is_not_set_in_the_file_it_holds(self, read: Read) -> None:
        with pytest.raises(ConfigurationError, match=r"line 2: .*--home or FLYBALL_HOME"):
            read('database = ""\nhome = "/elsewhere"\n')


class TestWhatIsWrong:
    """Every refusal names the place and, where there is one, the nearest valid name."""

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("\n[server]\nprot = 1\n", r"toml, line 3: unknown key 'server.prot'.*mean 'port'"),
            ("[sever]\nport = 1\n", r"toml, line 1: unknown key 'sever'.*mean 'server'"),
            ("databse = 'x'\n", r"toml, line 1: unknown key 'databse'.*mean 'database'"),
            (
                "[models.games.rollout]\n# how long\nbaek = '1h'\n",
                r"toml, line 3: unknown key 'models.games.rollout.baek'.*mean 'bake'",
            ),
            (
                "[models.server]\nserch = 1\n",
                r"line 2: unknown key 'models.server.serch'.*mean 'search'",
            ),
            ("[server]\nport = 70000\n", r"line 2: server.port = 70000: .*65535"),
            ("[server]\nport = 'many'\n", r"line 2: server.port = 'many': .*integer"),
            ('[ "models" . games.gates ]\np95_ms = 0\n', r"line 2: models.games.gates.p95_ms = 0"),
            ("server = 1\n", r"line 1: server = 1"),
            (
                "[server]\ncors_origins = 'https://a.example, https://b.example'\n",
                r"line 2: .*a list is needed; "
                r'write cors_origins = \["https://a.example", "https://b.example"\]$',
            ),
            ("[server]\ntrusted_proxies = 5\n", r'write trusted_proxies = \["5"\]$'),
            ("[models.Games]\n", r"'Games' cannot name a model"),
            ("qqqqqq = 1\n", r"unknown key 'qqqqqq'$"),
            ("[server]\nport = 1\nport = 2\n", r"toml is not valid TOML: .*line 3"),
            ("[server\n", r"toml is not valid TOML: .*line 1"),
        ],
    )
    def test_in_the_file_is_named_with_its_line(self, read: Read, text: str, said: str) -> None:
        with pytest.raises(ConfigurationError, match=said):
            read(text)

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("FLYBALL_SERVER__PORT", "many", "server.port = 'many'"),
            ("FLYBALL_SERVER__PROT", "1", "unknown key 'server.prot'.*mean 'port'"),
            ("FLYBALL_SEVER__PORT", "1", "unknown key 'sever'.*mean 'server'"),
            ("FLYBALL_DATABSE", "x", "unknown key 'databse'.*mean 'database'"),
            ("FLYBALL_DATABASE", "[half", "not valid JSON"),
            (
                "FLYBALL_SERVER__CORS_ORIGINS",
                "https://a.example",
                r"""as JSON: FLYBALL_SERVER__CORS_ORIGINS='\["https://a.example"\]'$""",
            ),
            ("FLYBALL_SERVER__TRUSTED_PROXIES", "", r"FLYBALL_SERVER__TRUSTED_PROXIES='\[\]'$"),
            ("FLYBALL_DATABASE__URL", "x", "'database' is a value, not a section"),
            ("FLYBALL_MODELS", '{"games": {"search": {"trials": 0}}}', "trials = 0"),
            ("FLYBALL_MODELS__GAMES__ROLLOUT__BAKE", "soon", "not a duration"),
        ],
    )
    def test_in_a_variable_is_named_with_the_variable(
        self, read: Read, name: str, value: str, said: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=f"^{name}.*{said}"):
            read("database = 'x'\n", **{name: value})

    def test_is_named_all_at_once(self, read: Read) -> None:
        with pytest.raises(ConfigurationError) as refused:
            read("[server]\nprot = 1\nworkers = -1\n")
        assert "line 2" in str(refused.value)
        assert "line 3" in str(refused.value)

    def test_a_file_that_is_no_text_is_refused(self, home: Path) -> None:
        (home / "flyball.toml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigurationError, match=r"flyball\.toml cannot be read"):
            load(home, environ={})

    def test_a_home_that_is_no_path_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="cannot be looked for"):
            load(Path("x" * 300), environ={})

    def test_a_model_that_is_not_configured_is_refused(self, read: Read) -> None:
        with pytest.raises(ConfigurationError, match=r"mean 'games'.*\[models\.gamse\]"):
            read().model("gamse")


class TestADuration:
    """Written as people write it."""

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("'90s'", timedelta(seconds=90)),
            ("'15m'", timedelta(minutes=15)),
            ("'24h'", timedelta(hours=24)),
            ("' 1.5 d '", timedelta(hours=36)),
            ("'30'", timedelta(seconds=30)),
            ("45", timedelta(seconds=45)),
            ("0.5", timedelta(milliseconds=500)),
        ],
    )
    def test_may_be_a_number_with_a_unit(self, read: Read, written: str, meant: Any) -> None:
        settings = read(f"[models.games.rollout]\nbake = {written}\n")
        assert settings.model("games").rollout.bake == meant

    @pytest.mark.parametrize(
        "written", ["-5", "'-5s'", "'5 weeks'", "''", "true", "inf", "nan", "[]", "'9999999999d'"]
    )
    def test_that_is_none_is_refused_with_its_line(self, read: Read, written: str) -> None:
        with pytest.raises(
            ConfigurationError, match=r"line 2: models.games.rollout.bake.*duration"
        ):
            read(f"[models.games.rollout]\nbake = {written}\n")


def test_another_process_reads_the_very_same_settings(tmp_path):
    """A server that this one starts must not see another database or other gates."""
    environ = {
        "FLYBALL_DATABASE": "postgresql+psycopg://ada@db/flyball",
        "FLYBALL_SERVER__WORKERS": "3",
        "FLYBALL_MODELS__SHOP__ROLLOUT__BAKE": "90s",
        "FLYBALL_MODELS__SHOP__SEARCH__TRIALS": "5",
    }
    mine = load(tmp_path, environ=environ)
    assert load(None, environ=mine.environment()) == mine


class TestASize:
    """Written as people write it."""

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("'800MiB'", 800 * 1024**2),
            ("'2GiB'", 2 * 1024**3),
            ("'1.5 kB'", 1500),
            ("'2G'", 2 * 10**9),
            ("'12'", 12),
            ("0", 0),
        ],
    )
    def test_may_be_a_number_with_a_unit(self, read: Read, written: str, meant: int) -> None:
        assert read(f"[server]\nworker_memory = {written}\n").server.worker_memory == meant

    @pytest.mark.parametrize("wrong", ["'much'", "'5 PiB'", "true", "-1", "'1e9'"])
    def test_that_is_none_is_refused_with_an_example(self, read: Read, wrong: str) -> None:
        with pytest.raises(ConfigurationError, match=r"line 2: server\.worker_memory.*'800MiB'"):
            read(f"[server]\nworker_memory = {wrong}\n")
