"""Every check that comes with Flyball keeps the contract of checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.checks.accuracy import Accuracy
from flyball.checks.artifact import ArtifactIntegrity
from flyball.checks.integration import ServesItsApi
from flyball.checks.latency import ScoringLatency
from flyball.ports import Check, CheckContext
from flyball.settings import Gates
from flyball.testing.bench import Bench
from flyball.testing.checks import CheckContract
from flyball.testing.fakes import FakeTarget
from flyball.testing.toy import MODELS


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class ToyChecks(CheckContract):
    @pytest.fixture
    def healthy(self, bench: Bench) -> CheckContext:
        return bench.context(bench.good(), limits=Gates(p95_ms=10_000.0))


class TestArtifactIntegrity(ToyChecks):
    @pytest.fixture
    def check(self) -> Check:
        return ArtifactIntegrity()

    @pytest.fixture
    def faulty(self, bench: Bench) -> CheckContext:
        def spoil(directory: Path) -> None:
            (directory / "toy.json").unlink()

        return bench.context(bench.good("1.1.0", spoil=spoil))


class TestAccuracy(ToyChecks):
    @pytest.fixture
    def check(self) -> Check:
        return Accuracy(MODELS.__getitem__)

    @pytest.fixture
    def faulty(self, bench: Bench) -> CheckContext:
        return bench.context(bench.poor(), champion=bench.good("0.9.0"))


class TestScoringLatency(ToyChecks):
    @pytest.fixture
    def check(self) -> Check:
        return ScoringLatency()

    @pytest.fixture
    def faulty(self, bench: Bench) -> CheckContext:
        return bench.context(bench.good("1.1.0"), limits=Gates(p95_ms=1e-9))


class TestServesItsApi(ToyChecks):
    @pytest.fixture
    def check(self) -> Check:
        return ServesItsApi()

    @pytest.fixture
    def faulty(self, bench: Bench) -> CheckContext:
        return bench.context(bench.good("1.1.0"), target=FakeTarget(candidate_url="nowhere"))
