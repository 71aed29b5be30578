"""The documentation is complete: whatever a user can type, set, call or scrape stands in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from flyball.cli.app import app
from flyball.cli.config_file import Setting, settings
from flyball.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


@cache
def sections(page: str) -> dict[str, str]:
    """The text below each second-level heading, by heading; what comes before under ``""``."""
    first, *rest = re.split(r"^## ", (DOCS / page).read_text(encoding="utf-8"), flags=re.M)
    return {"": first} | {part.split("\n", 1)[0].strip("`"): part for part in rest}


def commands(command: Any = None, path: str = "flyball") -> Iterator[tuple[str, Any]]:
    """Every command with its path."""
    command = command or get_command(app)
    children = getattr(command, "commands", {})
    if path != "flyball":
        yield path, command
    for name, child in children.items():
        yield from commands(child, f"{path} {name}")


COMMANDS = dict(commands())
COMMON = {"--home", "--json", "--debug", "--help"}


@pytest.mark.parametrize("path", COMMANDS)
class TestEveryCommand:
    """docs/commands.md, and the help page itself."""

    def test_has_a_section_with_all_its_options_and_arguments(self, path):
        text = sections("commands.md")[path]
        for parameter in COMMANDS[path].params:
            if parameter.param_type_name == "argument":
                assert f"`{parameter.metavar or parameter.name.upper()}`" in text
                continue
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert f"`{option}`" in (sections("commands.md")[""] if option in COMMON else text)

    def test_takes_the_common_options(self, path):
        options = {option for p in COMMANDS[path].params for option in p.opts}
        assert options >= COMMON - {"--help"}

    def test_shows_its_examples_in_the_help_and_in_the_docs(self, path):
        examples = COMMANDS[path].epilog.split("Example:\n")[1].splitlines()
        assert examples
        for example in examples:
            assert example.strip().startswith("flyball ")
            assert f"$ {example.strip()}\n" in sections("commands.md")[path]


def test_no_command_is_documented_that_does_not_exist():
    documented = {name for name in sections("commands.md") if name.startswith("flyball ")}
    assert documented == set(COMMANDS)


ALL_SETTINGS = settings(model="NAME")


@pytest.mark.parametrize("setting", ALL_SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_stands_in_its_section_with_variable_and_default(setting: Setting):
    text = sections("settings.md")[f"[{setting.section}]" if setting.section else "At the top"]
    [row] = [line for line in text.splitlines() if line.startswith(f"| `{setting.key}` |")]
    assert f"`{setting.variable}`" in row
    assert setting.meaning in row
    if setting.default != '""':
        assert setting.default.strip('"') in row


def test_settings_are_found_recursively():
    """The list that the tests above go through misses nothing of the typed settings."""

    def keys(table: dict[str, Any], path: str = "") -> Iterator[str]:
        for key, value in table.items():
            name = f"{path}{key}"
            if isinstance(value, dict):
                yield from keys(value, f"{name}.")
            else:
                yield name

    found = {
        name.replace("models.games.", "models.NAME.") for name in keys(Settings().model_dump())
    }
    assert found == {setting.name for setting in ALL_SETTINGS}


def test_the_example_of_settings_loads():
    example = re.search(r"```toml\n(.*?)```", sections("settings.md")[""], re.S)
    assert example is not None
    assert Settings.model_validate(tomllib.loads(example[1])).server.port == 9000


def test_every_metric_stands_in_the_docs_with_type_and_labels():
    from flyball.telemetry.metrics import Metrics

    metrics = [value for value in vars(Metrics()).values() if hasattr(value, "_labelnames")]
    assert len(metrics) >= 9
    rows = (DOCS / "metrics.md").read_text().splitlines()
    for metric in metrics:
        name = metric._name + ("_total" if metric._type == "counter" else "")
        [row] = [line for line in rows if line.startswith(f"| `{name}` |")]
        assert f"| {metric._type} |" in row
        assert all(f"`{label}`" in row for label in metric._labelnames)
        assert set(re.findall(r"`(\w+)`", row.split("|")[3])) - {"pid"} == set(metric._labelnames)


def test_every_endpoint_stands_in_the_docs():
    """docs/api.md names each method and path of the inference API and the control API."""
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    missing = [
        f"{method} {path}"
        for method, path in endpoints()
        if not re.search(rf"\b{method}\b[^\n]*{re.escape(path)}(?![\w/{{])", text)
    ]
    assert missing == []


def endpoints() -> Iterator[tuple[str, str]]:
    """Method and path of every operation, as the two APIs describe themselves."""
    from flyball import plugins
    from flyball.access.limiter import Limiter
    from flyball.console.api import create_app as control
    from flyball.serving.app import create_app as inference
    from flyball.serving.auth import AuthRoutes
    from flyball.verbs import Flyball

    games = {"games": plugins.application("games")}
    signing_in = AuthRoutes(None, Limiter()).router()  # type: ignore[arg-type]  # only described
    served = inference(_Edge(), games, loopback=True, auth=signing_in).app
    for api in (control(Flyball(config=Settings())), served):
        for path, methods in api.openapi()["paths"].items():
            yield from ((method.upper(), path) for method in methods)


class _Edge:
    """A worker as far as the description of its API needs one."""

    def __init__(self) -> None:
        from flyball.serving.host import ModelHost
        from flyball.serving.slots import Slots
        from flyball.telemetry.metrics import Metrics

        self.metrics = Metrics()
        self.hosts = {"games": ModelHost(Slots("games"), self.metrics)}

    def unready(self) -> list[str]:
        return []

    def health(self) -> dict[str, Any]:
        return {}
