"""Every model that comes with Flyball keeps the contract of models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from flyball.ports import Model
from flyball.recommend import Ease, Interactions, Popularity
from flyball.testing.models import ModelContract
from flyball.testing.toy import Curve, Mean, Points


class RecommenderContract(ModelContract):
    @pytest.fixture
    def data(self) -> Any:
        rng = np.random.default_rng(3)
        pairs = {"user_id": rng.integers(0, 60, 900), "item_id": rng.integers(0, 25, 900)}
        frame = pl.DataFrame(pairs).unique(maintain_order=True)
        hours = pl.Series("hours", rng.exponential(9.0, len(frame)))
        days = pl.Series("day", rng.integers(14_000, 15_000, len(frame)))
        words = csr_matrix(rng.integers(0, 2, (25, 12)).astype(np.float32))
        return replace(Interactions.from_frame(frame.with_columns(hours, days)), features=words)

    @pytest.fixture
    def queries(self, data: Any) -> Any:
        return data.histories(slice(0, 7))


class TestPopularity(RecommenderContract):
    @pytest.fixture
    def model(self) -> type[Model]:
        return Popularity


class TestEase(RecommenderContract):
    @pytest.fixture
    def model(self) -> type[Model]:
        return Ease


class ToyContract(ModelContract):
    @pytest.fixture
    def data(self) -> Any:
        x = np.linspace(-1.0, 1.0, 30)
        return Points(x, x**2)

    @pytest.fixture
    def queries(self) -> Any:
        return np.linspace(-0.5, 0.5, 4)


class TestMean(ToyContract):
    @pytest.fixture
    def model(self) -> type[Model]:
        return Mean


class TestCurve(ToyContract):
    @pytest.fixture
    def model(self) -> type[Model]:
        return Curve
