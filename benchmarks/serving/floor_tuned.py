"""The floor with the tuned scoring: how much of it is numpy as one writes it first."""

from __future__ import annotations

from benchmarks.serving.floor import run
from benchmarks.serving.scoring import TunedBest

if __name__ == "__main__":
    run(TunedBest)
