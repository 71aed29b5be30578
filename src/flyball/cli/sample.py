"""``python -m flyball.cli.sample HOME CONSOLE``: the first turn of the built-in sample.

Writes the sample world's history as a CSV into the home while the control process starts, then
hands the turn to it and shows how it goes, as ``flyball run`` does.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from flyball.cli import main as flyball
from flyball.cli.household import SAMPLE, SEED
from flyball.cli.narrator import LOOK_EVERY_S, answer
from flyball.errors import FlyballError

FILE = "sample/purchases.csv"


def main(argv: Sequence[str]) -> int:
    """Carry out the turn; returns the exit code of ``flyball run``."""
    home, console = Path(argv[0]), argv[1]
    try:
        path = written(home)
    except FlyballError as error:
        sys.stderr.write(f"{error.title}: {error}\n")
        return error.exit_code
    pause = threading.Event()  # never set: whoever started this ends it
    while answer(f"{console}/api/models") is None:
        pause.wait(LOOK_EVERY_S)
    return flyball(["run", SAMPLE, str(path), "--home", str(home)])


def written(home: Path) -> Path:
    """The file of the sample world; made if it is not there.

    Raises:
        EnvironmentFailed: it cannot be written.
    """
    path = home / FILE
    if not path.exists():
        from flyball.games.world import World

        World(SEED).write(path)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
