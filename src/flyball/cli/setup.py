"""The commands around an installation: init and doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flyball.cli.command import Cli, command
from flyball.errors import ConfigurationError, EnvironmentFailed

NO = 1


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, init, example="flyball init\nflyball init shop")
    command(app, doctor, example="flyball doctor")


def init(
    cli: Cli,
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="Where to write it. Default: the home if given, else this directory.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a commented flyball.toml with every setting and its default.

    An existing file is never overwritten.
    """
    from flyball.cli.config_file import template
    from flyball.settings import CONFIG_FILE

    path = (directory or cli.home or Path()) / CONFIG_FILE
    text = template()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        if not path.exists():
            raise EnvironmentFailed(f"{path.parent} is not a directory; name another") from error
        raise ConfigurationError(
            f"{path} already exists and was left as it is; move it away, or name another DIR"
        ) from None
    except OSError as error:
        raise EnvironmentFailed(
            f"{path} cannot be written: {error.strerror}; choose a writable DIR"
        ) from error
    cli.answer(
        {"written": str(path)},
        lambda: [f"wrote {path}: every setting, commented out, with its default"],
    )


def doctor(cli: Cli) -> int:
    """Check this installation and say what to fix.

    Exits with 1 if any check fails.
    """
    from flyball.cli.views import health
    from flyball.doctor import Level, examine

    findings = examine(lambda: cli.flyball.platform)
    well = all(finding.level is not Level.FAIL for finding in findings)
    cli.answer({"ok": well, "checks": findings}, lambda: health.findings(findings))
    return 0 if well else NO
