"""``flyball rules``: what the business wants of the answers, whatever the model says."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from flyball.cli.command import Cli, command
from flyball.cli.look import now
from flyball.cli.loop import Model
from flyball.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(
        app, rules,
        example="flyball rules games\nflyball rules games --set rules.toml\n"
        "flyball rules games --clear",
    )  # fmt: skip


def rules(
    cli: Cli,
    model: Model,
    set_: Annotated[
        Path | None,
        typer.Option(
            "--set", metavar="FILE", help="Put the rules of this file (TOML or JSON) in force.",
            show_default=False,
        ),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Put no rules in force.")] = False,
) -> None:  # fmt: skip
    """Show the business rules of a model, or put others in force: boosts, pins, hidden games.

    Serving follows within a second; no training, no restart. A file of the games application:

    \b
      hidden = ["some-game"]         # never recommended
      diversity = 0.2                # 0: the likeliest; 1: as unlike as there are
      [[pins]]
      game_id = "new-game"
      place = 1
      end = 2026-06-01T00:00:00Z     # times need a zone
      [[boosts]]
      genres = ["puzzle"]            # or games, tags, developers, publishers
      factor = 1.5                   # of the odds
    """
    from flyball.cli.views import rules as view

    if set_ is not None and clear:
        raise ConfigurationError("--set and --clear exclude each other; give one of them")
    if set_ is not None or clear:
        cli.flyball.set_rules(model, {} if set_ is None else _read(set_))
    found = cli.flyball.rules(model)
    cli.answer(found, lambda: view.rules(model, found, now()))


def _read(path: Path) -> Mapping[str, Any]:
    """Raises ConfigurationError where the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"{path} cannot be read as TOML or JSON: {why}; `flyball rules --help` shows a file"
        ) from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} holds no object; `flyball rules --help` shows a file")
    plain: Mapping[str, Any] = json.loads(json.dumps(document, default=_in_iso))
    return plain


def _in_iso(value: Any) -> str:
    """TOML's days and times, as JSON has them."""
    return str(value.isoformat())
