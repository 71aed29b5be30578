"""Every check that comes with Flyball keeps the contract of checks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "checks"))

from toy_bench import Bench  # noqa: E402

from flyball.checks.accuracy import Accuracy  # noqa: E402
from flyball.checks.artifact import ArtifactIntegrity  # noqa: E402
from flyball.checks.integration import ServesItsApi  # noqa: E402
from flyball.checks.latency import ScoringLatency  # noqa: E402
from flyball.ports import Check, CheckContext  # noqa: E402
from flyball.settings import Gates  # noqa: E402
from flyball.testing.checks import CheckContract  # noqa: E402
from flyball.testing.fakes import FakeTarget  # noqa: E402
from flyball.testing.toy import MODELS  # noqa: E402


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
        return bench.context(bench.poor())


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
