"""Every check of recommenders keeps the contract of checks, on a simulated world of games."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from flyball.games.checks.bias import Bias
from flyball.games.checks.calibration import Calibrated
from flyball.games.checks.leakage import Leakage
from flyball.games.checks.rivals import Rivals
from flyball.games.checks.robustness import Robustness
from flyball.games.checks.segments import Segments
from flyball.games.checks.shilling import Shilling
from flyball.games.preparation import everything
from flyball.ports import Check, CheckContext
from flyball.recommend import Ease, EaseConfig, Popularity, PopularityConfig
from flyball.settings import Gates
from flyball.testing.checks import CheckContract
from flyball.testing.games_bench import GamesBench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> GamesBench:
    return GamesBench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def good(bench: GamesBench) -> CheckContext:
    return bench.context(bench.good())


@pytest.fixture(scope="module")
def popular(bench: GamesBench) -> CheckContext:
    model = Popularity.fit(bench.prepared.final.train, PopularityConfig())
    return bench.context(bench.version("1.1.0", model))


@pytest.fixture(scope="module")
def rarest(bench: GamesBench) -> CheckContext:
    counts = bench.prepared.final.train.counts
    scores = (1.0 / (1.0 + counts)).astype(np.float32)
    none = np.empty(0, np.float32)
    model = Popularity(scores, None, 1, days=none, items=none.astype(np.int32), counts=none)
    return bench.context(bench.version("1.2.0", model))


@pytest.fixture(scope="module")
def broken(bench: GamesBench) -> CheckContext:
    def spoil(directory: Path) -> None:
        for path in (directory / "model").glob("*.npy"):
            weights = np.load(path)
            if weights.ndim == 2 and weights.size:
                weights[0, 1] = np.nan
                np.save(path, weights)

    return bench.context(bench.good("1.3.0", spoil=spoil))


@pytest.fixture(scope="module")
def leaking(bench: GamesBench) -> CheckContext:
    whole = everything(bench.tables, bench.prepared.final.train.items.tolist())
    return bench.context(bench.version("1.4.0", Ease.fit(whole, EaseConfig())))


@pytest.fixture(scope="module")
def miscalibrated(bench: GamesBench) -> CheckContext:
    def spoil(directory: Path) -> None:
        path = directory / "reliability.json"
        found = json.loads(path.read_bytes())
        path.write_text(json.dumps({**found, "p_value": 1e-6}))

    return bench.context(bench.good("1.5.0", spoil=spoil))


class GamesChecks(CheckContract):
    @pytest.fixture
    def healthy(self, good: CheckContext) -> CheckContext:
        return good


class TestRivals(GamesChecks):
    """Popularity, where three others know more."""

    @pytest.fixture
    def check(self) -> Check:
        return Rivals()

    @pytest.fixture
    def faulty(self, popular: CheckContext) -> CheckContext:
        return popular


class TestSegments(GamesChecks):
    """Popularity in place of a personal champion."""

    @pytest.fixture
    def check(self) -> Check:
        return Segments()

    @pytest.fixture
    def faulty(self, bench: GamesBench, good: CheckContext, popular: CheckContext) -> CheckContext:
        return bench.context(popular.candidate, champion=good.candidate)


class TestBias(GamesChecks):
    """The ten rarest games for everybody."""

    @pytest.fixture
    def check(self) -> Check:
        return Bias()

    @pytest.fixture
    def faulty(self, rarest: CheckContext) -> CheckContext:
        return rarest


class TestShilling(GamesChecks):
    """A gate that allows nothing at all."""

    @pytest.fixture
    def check(self) -> Check:
        return Shilling()

    @pytest.fixture
    def faulty(self, bench: GamesBench, good: CheckContext) -> CheckContext:
        return bench.context(good.candidate, limits=Gates(max_shilled=0.0))


class TestRobustness(GamesChecks):
    """A weight that is no number."""

    @pytest.fixture
    def check(self) -> Check:
        return Robustness()

    @pytest.fixture
    def faulty(self, broken: CheckContext) -> CheckContext:
        return broken


class TestLeakage(GamesChecks):
    """A model that learnt from the held-out games too."""

    @pytest.fixture
    def check(self) -> Check:
        return Leakage()

    @pytest.fixture
    def faulty(self, leaking: CheckContext) -> CheckContext:
        return leaking


class TestCalibrated(GamesChecks):
    """Probabilities that did not come true."""

    @pytest.fixture
    def check(self) -> Check:
        return Calibrated()

    @pytest.fixture
    def faulty(self, miscalibrated: CheckContext) -> CheckContext:
        return miscalibrated
