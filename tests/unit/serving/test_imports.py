"""A worker starts quickly and stays small: it imports nothing that only control needs."""

from __future__ import annotations

import subprocess
import sys

HEAVY = "mlflow dvc dvc_data dbos optuna sklearn nicegui alembic.command"
SCRIPT = f"""
import sys
from flyball import plugins
import flyball.serving.process
plugins.application("games")
sys.stdout.write(" ".join(sorted(set("{HEAVY}".split()) & set(sys.modules))))
"""


def test_serving_the_games_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == []
