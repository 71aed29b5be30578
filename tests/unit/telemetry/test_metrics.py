"""Metrics under their published names, shared by the workers of a home."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from flyball.telemetry import metrics
from flyball.telemetry.metrics import SECONDS, Metrics

SCRIPT = textwrap.dedent(
    """
    import pathlib, sys
    from flyball.telemetry import metrics
    metrics.share(pathlib.Path(sys.argv[1]))
    ours = metrics.Metrics()
    ours.served("games", "v1", "search", 0.004, 200)
    ours.resident.set(1000)
    ours.generation.labels("games").set(int(sys.argv[2]))
    sys.stdout.write(ours.exposition()[0].decode())
    """
)


def a_process(directory: Path, generation: int = 1) -> str:
    """What a worker that has served one answer exposes."""
    argv = [sys.executable, "-c", SCRIPT, str(directory), str(generation)]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "run" / "metrics"


def test_names_and_labels_are_the_published_ones():
    ours = Metrics()
    ours.served("games", "v1", "search", 0.004, 200)
    text = ours.exposition()[0].decode()
    labels = 'endpoint="search",model="games",model_version="v1"'
    assert f'model_inference_requests_total{{{labels},status="200"}} 1.0' in text
    assert 'model_inference_duration_seconds_bucket{endpoint="search",le="0.005",' in text
    assert "prediction_latency_seconds_count 1.0" in text


def test_latency_is_measured_from_1_ms_to_30_s():
    assert (SECONDS[0], SECONDS[-1]) == (0.001, 30.0)
    assert list(SECONDS) == sorted(SECONDS)


def test_a_scrape_adds_up_all_workers_also_those_that_are_gone(directory):
    a_process(directory)
    text = a_process(directory)
    assert "prediction_latency_seconds_count 2.0" in text


def test_gauges_of_dead_workers_disappear(directory):
    a_process(directory, generation=1)
    text = a_process(directory, generation=5)
    assert 'flyball_route_generation{model="games"} 5.0' in text
    assert text.count("flyball_worker_resident_bytes{") == 1


def test_burying_leaves_the_living_alone(directory):
    directory.mkdir(parents=True)
    for pid in (os.getpid(), 4_194_304 + 7):  # above the highest process id that Linux gives
        (directory / f"gauge_liveall_{pid}.db").touch()
        (directory / f"counter_{pid}.db").touch()
    assert metrics.bury(directory) == [4_194_304 + 7]
    left = sorted(path.name for path in directory.iterdir())
    assert left == sorted(
        [f"counter_{os.getpid()}.db", "counter_4194311.db", f"gauge_liveall_{os.getpid()}.db"]
    )


def test_a_new_start_counts_anew(directory):
    a_process(directory)
    metrics.forget(directory)
    assert "prediction_latency_seconds_count 1.0" in a_process(directory)
