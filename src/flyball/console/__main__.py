"""``python -m flyball.console``: the control process of an installation.

It runs the loop's workflows, also those that a killed process left unfinished, the controller, the
control API and the operator's page, until SIGTERM or SIGINT. Exit code 3: another process holds
the home, or the port is taken.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code.

    Args:
        argv: the command line; default this process's.
    """
    arguments = _parser().parse_args(argv)
    if arguments.parent is not None:
        from flyball.executors.lifeline import die_with_parent

        die_with_parent(arguments.parent)
    from flyball.errors import FlyballError
    from flyball.serving.server import Stop
    from flyball.telemetry import logs

    stop = Stop()  # before the slow imports: a signal that comes now is not lost
    logs.configure(json=arguments.json_logs)
    from flyball.console.process import serve

    try:
        serve(arguments.home, port=arguments.port, host=arguments.host, stop=stop)
    except FlyballError as error:
        sys.stderr.write(f"{error.title}: {error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flyball.console", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the installation")
    parser.add_argument("--port", type=int, required=True, help="to listen on; 0 takes a free one")
    parser.add_argument("--host", help="loopback address to listen on; default server.host")
    parser.add_argument("--parent", type=int, help="end when this process, our parent, ends")
    parser.add_argument("--json-logs", action="store_true", help="logs as JSON")
    return parser


if __name__ == "__main__":
    code = main()
    # Not sys.exit: it would wait for threads of a workflow's step that was cut off (a fit may take
    # minutes). Everything that must be stored is, and the step is done again by the next process.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
