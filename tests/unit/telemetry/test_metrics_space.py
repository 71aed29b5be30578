"""Counting never needs space that a full disk may not have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
from flyball.telemetry import metrics

metrics.share(Path(sys.argv[1]))
made = metrics.Metrics()
for number in range(100):
    made.served("games", f"1.0.{number}", "/v1/recommendations", 0.001, 200)
for metric in vars(made).values():
    if names := getattr(metric, "_labelnames", ()):
        metric.labels(*("x" for _ in names))
print(made.exposition()[0].decode())
"""


def test_metrics_have_their_space_on_disk_from_the_start(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)
    files = {path: path.stat() for path in tmp_path.glob("*.db")}
    assert {path.name.rpartition("_")[0] for path in files} >= {"counter", "histogram"}
    holes = [path.name for path, stat in files.items() if stat.st_blocks * 512 < stat.st_size]
    assert holes == []
    assert 'model_version="1.0.99"' in done.stdout
