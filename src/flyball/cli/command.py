"""What all commands share: their common options, where they write, and how they end."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, get_type_hints

import typer

from flyball.cli.problems import document, problem, unexpected
from flyball.errors import FlyballError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from flyball.verbs import Flyball

Opener = Callable[[Path | None], "Flyball"]
"""Gives the verbs of a home; a test hands its own to the application as ``obj``."""

INTERRUPTED = 130
_NO_LIST = re.compile(r"\n(?! )")

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", envvar="FLYBALL_HOME", help="Directory of the state. Default: .flyball.",
        show_default=False,
    ),
]  # fmt: skip
AsJson = Annotated[
    bool, typer.Option("--json", help="Answer with one JSON document on standard output.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Log more, and show tracebacks of errors.")]


@dataclass
class Cli:
    """One call of a command.

    Attributes:
        home: as given; None for the default.
        as_json: whether the answer is one JSON document.
        debug: whether to show tracebacks and more logs.
        out: where the answer goes: the process's standard output. Meanwhile ``sys.stdout`` is
            standard error, so that nothing a library prints gets between.
    """

    home: Path | None
    as_json: bool
    debug: bool
    out: TextIO
    opener: Opener

    @cached_property
    def flyball(self) -> Flyball:
        """The verbs of this home."""
        return self.opener(self.home)

    def close(self) -> None:
        """Let go of what the command opened."""
        if "flyball" in vars(self):  # the cached property: made only if the command used it
            self.flyball.close()

    def answer(self, value: Any, view: Callable[[], Iterable[RenderableType]]) -> None:
        """Show a verb's answer: the value as JSON, or its view for a person."""
        if self.as_json:
            typer.echo(document(value), file=self.out)
            return
        from flyball.cli.views.console import show

        show(view(), self.out)

    def say(self, line: str) -> None:
        """A line for a person; nothing where JSON is asked for."""
        if not self.as_json:
            typer.echo(line, file=self.out)

    def fail(self, error: BaseException) -> int:
        """Tell of an error, and in JSON if asked; returns the exit code.

        It is one line, and below it what our own error lists: its indented lines.
        """
        if self.debug:
            traceback.print_exception(error, file=sys.stderr)
        ours = isinstance(error, FlyballError)
        title = error.title if isinstance(error, FlyballError) else "Unexpected error"
        detail = _NO_LIST.sub(" ", str(error)) if ours else unexpected(error)
        typer.secho(f"{title}: {detail}", err=True, fg=_red())
        if self.as_json:
            typer.echo(document(problem(error)), file=self.out)
        return error.exit_code if isinstance(error, FlyballError) else FlyballError.exit_code


def command(
    app: typer.Typer,
    function: Callable[..., int | None],
    *,
    example: str,
    name: str | None = None,
    around: Callable[[Cli], contextlib.AbstractContextManager[None]] | None = None,
) -> None:
    """Register a command ``function(cli, ...)``, which returns its exit code (None is 0).

    Args:
        example: shown by ``--help``.
        name: default the function's.
        around: entered before the function and left after it.
    """
    app.command(
        name or function.__name__.rstrip("_"), help=inspect.getdoc(function), epilog=shown(example)
    )(with_common_options(function, around))


def shown(example: str) -> str:
    """An example as the last part of a help page."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in example.splitlines())


def with_common_options(
    function: Callable[..., int | None],
    around: Callable[[Cli], contextlib.AbstractContextManager[None]] | None = None,
) -> Callable[..., None]:
    """``function(cli, ...)`` as Typer wants it: with ``--home``, ``--json`` and ``--debug``."""

    def called(
        ctx: typer.Context,
        home: Path | None = None,  # noqa: ARG001 - as are the next two: see ``_given``
        as_json: bool = False,  # noqa: ARG001
        debug: bool = False,  # noqa: ARG001
        **own: Any,
    ) -> None:
        cli = _cli(ctx)
        if "ctx" in asked:
            own["ctx"] = ctx
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
            stack.enter_context(_quiet(cli.debug))
            stack.callback(cli.close)
            if around is not None:
                stack.enter_context(around(cli))
            code = _ended(cli, function, own)
        if code:
            raise typer.Exit(code)

    hints = get_type_hints(function, include_extras=True)
    asked = inspect.signature(function).parameters
    named_own = [p for p in asked.values() if p.name not in ("cli", "ctx")]
    common = {"home": (Home, None), "as_json": (AsJson, False), "debug": (Debug, False)}
    named = inspect.Parameter.KEYWORD_ONLY
    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("ctx", named, annotation=typer.Context),
            *(p.replace(kind=named, annotation=hints[p.name]) for p in named_own),
            *(
                inspect.Parameter(key, named, annotation=hint, default=default)
                for key, (hint, default) in common.items()
            ),
        ]
    )
    called.__annotations__ = {}
    return called


def _ended(cli: Cli, function: Callable[..., int | None], own: dict[str, Any]) -> int:
    try:
        return function(cli, **own) or 0
    except (typer.Exit, typer.TyperException, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - told in one line, with its traceback on --debug
        return cli.fail(error)


def _cli(ctx: typer.Context) -> Cli:
    """The options of a command and of its groups: ``flyball ledger --json verify``."""
    return Cli(
        home=_given(ctx, "home"),
        as_json=bool(_given(ctx, "as_json")),
        debug=bool(_given(ctx, "debug")),
        out=sys.stdout,
        opener=ctx.obj or _open,
    )


def _given(ctx: typer.Context, name: str) -> Any:
    """A common option: where it was typed, the innermost first, or else from the environment."""
    here: Any = ctx
    found: list[tuple[bool, Any]] = []
    while here is not None:
        if here.params.get(name):
            source = here.get_parameter_source(name)
            typed = source is None or source.name != "ENVIRONMENT"
            found.append((typed, here.params[name]))
        here = here.parent
    found.sort(key=lambda one: not one[0])
    return found[0][1] if found else None


def _open(home: Path | None) -> Flyball:
    from flyball.verbs import Flyball

    return Flyball(home)


@contextlib.contextmanager
def _quiet(debug: bool) -> Iterator[None]:
    """Warnings of libraries are for developers."""
    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
        yield


def _red() -> str | None:
    return None if os.environ.get("NO_COLOR") else typer.colors.RED
