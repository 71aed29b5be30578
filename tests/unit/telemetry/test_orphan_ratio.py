"""The share of feedback that names an answer nobody gave, at each scrape, over all workers."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

from flyball.telemetry.metrics import Metrics

SCRIPT = textwrap.dedent(
    """
    import pathlib, sys
    from flyball.telemetry import metrics
    metrics.share(pathlib.Path(sys.argv[1]))
    ours = metrics.Metrics()
    ours.feedback.labels("games", "click", sys.argv[2]).inc(int(sys.argv[3]))
    sys.stdout.write(ours.exposition()[0].decode())
    """
)


def ratios(exposition: str) -> dict[str, float]:
    """The gauge, by model."""
    found = re.findall(r'^flyball_feedback_orphan_ratio\{model="(\w+)"\} (\S+)$', exposition, re.M)
    return {model: float(value) for model, value in found}


def told(metrics: Metrics) -> dict[str, float]:
    return ratios(metrics.exposition()[0].decode())


def test_counts_orphans_among_events_that_name_an_answer():
    ours = Metrics()
    counts = {"joined": 5, "orphan": 2, "late": 1, "unattributed": 100}
    for join, count in counts.items():
        ours.feedback.labels("games", "click", join).inc(count)
    ours.feedback.labels("games", "purchase", "orphan").inc(2)
    ours.feedback.labels("adult", "click", "joined").inc()
    assert told(ours) == {"games": 0.4, "adult": 0.0}


def test_a_model_without_such_events_has_none():
    ours = Metrics()
    assert told(ours) == {}
    ours.feedback.labels("games", "click", "unattributed").inc()
    assert told(ours) == {}


def test_is_of_all_workers_whichever_is_scraped(tmp_path: Path):
    def a_worker(join: str, count: int) -> str:
        argv = [sys.executable, "-c", SCRIPT, str(tmp_path / "metrics"), join, str(count)]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout

    assert ratios(a_worker("joined", 3)) == {"games": 0.0}
    exposition = a_worker("orphan", 1)
    assert ratios(exposition) == {"games": 0.25}
    assert exposition.count("# TYPE flyball_feedback_orphan_ratio gauge") == 1
    assert "# TYPE flyball_feedback_total counter" in exposition
