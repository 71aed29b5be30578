"""``python -m flyball.serving``: one serving process.

With ``--fd`` it is one of several workers on a socket that their parent listens on, and accepts
nothing before it can answer. With ``--port`` it has a socket of its own and says on standard output
where, as one line of JSON. With ``--only`` it serves one version and leaves no trace.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyball.ports import Application

THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(
    argv: Sequence[str] | None = None,
    *,
    application: Callable[[str], Application] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    Args:
        argv: the command line; default this process's.
        application: name -> application; default the installed plug-ins.
    """
    arguments = _parser().parse_args(argv)
    _prepare_process(arguments)
    from flyball import plugins
    from flyball.errors import FlyballError
    from flyball.serving.process import serve

    try:
        return serve(
            arguments.home,
            application or plugins.application,
            port=arguments.port,
            fd=arguments.fd,
            only=arguments.only,
            heartbeat=arguments.heartbeat,
        )
    except FlyballError as error:
        sys.stderr.write(f"{error.title}: {error}\n")
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flyball.serving", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the installation")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--fd", type=int, help="file descriptor of an inherited listening socket")
    place.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument("--only", metavar="MODEL/VERSION", help="serve one version, follow nothing")
    parser.add_argument("--parent", type=int, help="end when this process, our parent, ends")
    parser.add_argument("--heartbeat", type=int, help="file descriptor of a pipe to write to")
    parser.add_argument("--log-level", default="info", help="the least severe line to log")
    parser.add_argument("--json-logs", action="store_true", help="logs as JSON")
    return parser


def _prepare_process(arguments: argparse.Namespace) -> None:
    """What must happen before numpy and prometheus_client are imported."""
    if arguments.parent is not None:
        from flyball.executors.lifeline import die_with_parent

        die_with_parent(arguments.parent)
    for name in THREAD_SETTINGS:
        os.environ[name] = "1"  # many requests at once, one thread each
    if arguments.only is None:
        from flyball.telemetry import metrics

        metrics.share(arguments.home.resolve() / "run" / "metrics")
    from flyball.telemetry import logs

    logs.configure(json=arguments.json_logs, level=arguments.log_level)


if __name__ == "__main__":
    sys.exit(main())
