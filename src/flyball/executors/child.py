"""The other end of ``LocalExecutor``: reads one request, calls one function, answers once.

The request is one line of JSON on standard input. The answer goes to the file descriptor named on
the command line. Standard output is standard error here, so that what a library prints does no
harm.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from flyball.errors import ConfigurationError, FlyballError
from flyball.executors.lifeline import die_with_parent


def main(argv: list[str]) -> int:
    """Answer one request; ``argv`` is the answer's file descriptor and the parent's process id."""
    answer_fd, parent = int(argv[0]), int(argv[1])
    die_with_parent(parent)
    os.set_inheritable(answer_fd, False)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.buffer.readline())
    _watch_standard_input()
    answer = _answered(request["function"], request["request"])
    with os.fdopen(answer_fd, "wb") as out:
        out.write(answer)
    return 0


def _watch_standard_input() -> None:
    def watch() -> None:
        while sys.stdin.buffer.read(1):
            pass
        os._exit(1)  # the parent is gone: nobody waits for the answer

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _answered(function: str, request: Mapping[str, Any]) -> bytes:
    try:
        result = _function(function)(request)
    except FlyballError as error:
        return json.dumps({"error": type(error).__name__, "detail": str(error)}).encode()
    return json.dumps({"result": result}).encode()


def _function(name: str) -> Callable[[Mapping[str, Any]], Any]:
    module, _, attribute = name.partition(":")
    try:
        found: Callable[[Mapping[str, Any]], Any] = getattr(
            importlib.import_module(module), attribute
        )
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"the function {name!r} cannot be found: {error}; "
            "write 'package.module:function' of an installed package"
        ) from error
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
