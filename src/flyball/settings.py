"""Settings: one typed object, read once from ``flyball.toml`` and then ``FLYBALL_*`` variables.

A key ``section.key`` is the variable ``FLYBALL_SECTION__KEY``. An unknown key or a wrong value is
refused with its place and the nearest valid name. ``docs/settings.md`` lists every field; a test
holds the two together.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from flyball.domain.names import check_model_name
from flyball.errors import ConfigurationError

CONFIG_FILE = "flyball.toml"
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _duration(value: object) -> object:
    """``"90s"``, ``"15m"``, ``"24h"``, ``"2d"`` or a number of seconds, as a timedelta."""
    if isinstance(value, timedelta):
        return value
    text = str(value) if isinstance(value, str | int | float) else ""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])?\s*", text)
    if found is None:
        raise ValueError("not a duration; write for example '90s', '15m', '24h' or '2d'")
    try:
        return timedelta(seconds=float(found[1]) * _UNITS[found[2] or "s"])
    except OverflowError:
        raise ValueError("longer than any duration can be") from None


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, ser_json_timedelta="float"
    )


class Server(_Section):
    """The inference server and the control process's page."""

    host: str = Field("127.0.0.1", description="Address both servers listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Inference API; 0 takes a free port.")
    console_port: int = Field(8080, ge=0, le=65535, description="Control API and console.")
    keep_windows: Duration = Field(
        timedelta(days=3), description="One-second windows of traffic are kept this long."
    )
    workers: int = Field(0, ge=0, le=256, description="Serving processes; 0 takes one a core.")


class Datasets(_Section):
    """Versions of the data."""

    remote: str = Field("", description="Directory `dvc pull` reads; default `<home>/remote`.")


class Search(_Section):
    """The search for a candidate."""

    trials: int = Field(12, ge=1, le=10_000, description="Configurations to try at most.")
    timeout: Duration = Field(timedelta(minutes=10), description="No trial begins after this.")
    seed: int = Field(7, ge=0, description="Of the split, the search and the fits.")


class Gates(_Section):
    """What a candidate must show before it may serve."""

    p95_ms: float = Field(50.0, gt=0, description="Scoring one request, 95th percentile, in ms.")
    max_loss: float = Field(
        0.02, ge=0, description="Objective a candidate may lose to the champion, as a share of it."
    )
    max_quarantined: float = Field(
        0.05, ge=0, le=1, description="Share of a batch's rows that may be left out."
    )


class Rollout(_Section):
    """How a version takes over."""

    bake: Duration = Field(timedelta(hours=24), description="Watched time after the switch.")
    load_timeout: Duration = Field(
        timedelta(minutes=2), description="Workers must have loaded the version within this."
    )
    window: Duration = Field(
        timedelta(minutes=5), description="Stretch of the latest live traffic that is judged."
    )
    min_requests: int = Field(100, ge=1, description="Fewer answers in it are no evidence.")
    max_error_share: float = Field(
        0.01, ge=0, le=1, description="More failed answers in it are degraded."
    )


class ModelSettings(_Section):
    """One model and its loop."""

    application: str = Field("games", description="The application (plug-in) it belongs to.")
    objective: str = Field("", description="The metric that decides; default the application's.")
    search: Search = Search()
    gates: Gates = Gates()
    rollout: Rollout = Rollout()


class Settings(_Section):
    """Everything that can be set."""

    home: Path = Field(Path(".flyball"), description="Where this installation keeps its state.")
    database: str = Field("", description="SQLAlchemy URL; default SQLite in the home.")
    artifacts: str = Field("", description="Directory of artifacts; default in the home.")
    mlflow: str = Field("", description="MLflow tracking URI; default SQLite in the home.")
    server: Server = Server()
    datasets: Datasets = Datasets()
    models: dict[str, ModelSettings] = Field(
        default_factory=lambda: {"games": ModelSettings()}, description="The models, by name."
    )

    @property
    def database_url(self) -> str:
        """Where the records lie."""
        return self.database or f"sqlite:///{self.home.resolve() / 'flyball.sqlite'}"

    @property
    def artifacts_dir(self) -> Path:
        """Where artifacts lie."""
        return Path(self.artifacts) if self.artifacts else self.home.resolve() / "artifacts"

    @property
    def mlflow_uri(self) -> str:
        """Where runs are tracked."""
        return self.mlflow or f"sqlite:///{self.home.resolve() / 'mlflow.sqlite'}"

    def environment(self) -> dict[str, str]:
        """The variables with which another process reads these very settings, file or not."""
        values = self.model_dump(mode="json", exclude={"home"})
        told = {
            f"FLYBALL_{key.upper()}": value if isinstance(value, str) else json.dumps(value)
            for key, value in values.items()
        }
        return {"FLYBALL_HOME": str(self.home), **told}

    def model(self, name: str) -> ModelSettings:
        """The settings of one model.

        Raises:
            ConfigurationError: it is not configured; names the nearest one that is.
        """
        found = self.models.get(name)
        if found is None:
            raise ConfigurationError(
                f"no model is called {name!r}{_nearest(name, self.models)}; "
                f"configured: {', '.join(sorted(self.models))} "
                f"(add [models.{name}] to {CONFIG_FILE})"
            )
        return found


def load(home: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of one installation.

    The home is ``home``, else ``FLYBALL_HOME``, else ``.flyball``. The file is ``flyball.toml`` in
    the home, else in the working directory.

    Raises:
        ConfigurationError: says which key or value, on which line or in which variable, and the
            nearest valid name.
    """
    env = os.environ if environ is None else environ
    where = home or Path(env.get("FLYBALL_HOME") or ".flyball")
    path = next((p for p in (where / CONFIG_FILE, Path(CONFIG_FILE)) if _there(p)), None)
    text = _text(path) if path else ""
    values = _parsed(text, path)
    if "home" in values:
        raise ConfigurationError(
            f"{path}, line {_line(text, ('home',))}: the home is not set in a file that may lie in "
            "it; use --home or FLYBALL_HOME"
        )
    places = _from_environment(values, env)
    values["home"] = str(where)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_explained(error, text, path, places)) from None
    for name in settings.models:
        check_model_name(name)
    return settings


def _there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be looked for: {error.strerror}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None


def _parsed(text: str, path: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None


def _from_environment(values: dict[str, Any], env: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Put ``FLYBALL_A__B`` over ``values[a][b]``; returns the variable behind each key."""
    places: dict[tuple[str, ...], str] = {}
    for variable, raw in sorted(env.items()):
        if not variable.startswith("FLYBALL_") or variable in NOT_SETTINGS:
            continue
        keys = tuple(part.lower() for part in variable.removeprefix("FLYBALL_").split("__"))
        table = values
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise ConfigurationError(f"{variable}: {key!r} is a value, not a section")
        try:
            table[keys[-1]] = json.loads(raw) if raw.startswith(("[", "{")) else raw
        except ValueError as error:
            raise ConfigurationError(f"{variable} is not valid JSON: {error}") from None
        places[keys] = variable
    return places


NOT_SETTINGS = frozenset({"FLYBALL_HOME", "FLYBALL_TEST_DATA"})
"""Variables that are read elsewhere: the home itself, and where the tests find real data."""


def _explained(
    error: ValidationError, text: str, path: Path | None, places: Mapping[tuple[str, ...], str]
) -> str:
    lines = []
    for problem in error.errors():
        keys = tuple(str(part) for part in problem["loc"])
        place = _variable(places, keys) or f"{path}, line {_line(text, keys)}"
        if problem["type"] == "extra_forbidden":
            hint = _nearest(keys[-1], _valid_names(keys[:-1]))
            lines.append(f"{place}: unknown key {'.'.join(keys)!r}{hint}")
        else:
            reason = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{place}: {'.'.join(keys)} = {problem['input']!r}: {reason}")
    return "; ".join(lines)


def _variable(places: Mapping[tuple[str, ...], str], keys: tuple[str, ...]) -> str | None:
    """The variable that set this key, a part of it, or the section it lies in."""
    for depth in range(len(keys), 0, -1):
        for of, variable in places.items():
            if of == keys[:depth] or (depth == len(keys) and of[:depth] == keys):
                return variable
    return None


def _nearest(name: str, valid: Any) -> str:
    found = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else ""


def _valid_names(section: tuple[str, ...]) -> list[str]:
    table: type[BaseModel] = Settings
    if section[:1] == ("models",) and len(section) > 1:  # then a model's own name
        table, section = ModelSettings, section[2:]
    for key in section:
        field = table.model_fields.get(key)
        annotation = field.annotation if field else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            table = annotation
    return list(table.model_fields)


def _line(text: str, keys: tuple[str, ...]) -> int:
    """The line of the key, found by its section's header; 1 where it is written another way."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]\s*(#.*)?$", line):
            section = header[1].replace(" ", "").replace('"', "")
            if section == ".".join(keys):
                return number
        elif match := re.match(r'\s*"?([\w.-]+)"?\s*=', line):
            full = f"{section}.{match[1]}" if section else match[1]
            if full == ".".join(keys):
                return number
    return 1
