"""``python -m flyball.cli.sample HOME``: the first turn of the built-in sample.

Writes the sample world's history as a CSV into the home while the control process starts. Once a
line on standard input says that it has, hands the turn to it and shows how it goes, as
``flyball run`` does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from flyball.cli import main as flyball
from flyball.cli.household import SAMPLE, SEED
from flyball.cli.narrator import GO
from flyball.errors import EnvironmentFailed, FlyballError

FILE = "sample/purchases.csv"


def main(argv: Sequence[str]) -> int:
    """Carry out the turn; returns the exit code of ``flyball run``."""
    home = Path(argv[0])
    try:
        path = written(home)
    except FlyballError as error:
        sys.stderr.write(f"{error.title}: {error}\n")
        return error.exit_code
    if sys.stdin.buffer.readline() != GO:
        return EnvironmentFailed.exit_code  # whoever started this is gone
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
