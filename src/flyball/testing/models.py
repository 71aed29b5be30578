"""The contract of ``flyball.ports.Model``: what search, training and serving rely on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from flyball.checks.artifact import SAFE
from flyball.domain.canonical import canonical_json
from flyball.errors import ArtifactCorrupt
from flyball.ports import Model


@dataclass(slots=True)
class Answers:
    """A ``Suggest`` that answers each question by its own rule, and keeps the names asked for."""

    rule: Callable[[str, Any, Any], Any]
    names: list[str] = field(default_factory=list)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """By the rule; fails the test where that is out of range."""
        return float(self._ranged(name, low, high, log=log))

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """By the rule; fails the test where that is out of range."""
        return int(self._ranged(name, low, high, log=log))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """By the rule; fails the test where that is none of the choices."""
        self.names.append(name)
        answer = self.rule(name, choices[0], choices[-1])
        assert answer in choices, f"{name} = {answer!r} is none of {choices}"
        return answer

    def _ranged(self, name: str, low: Any, high: Any, *, log: bool) -> Any:
        self.names.append(name)
        assert low <= high, f"{name} has an empty range"
        assert low > 0 or not log, f"{name} is on a log scale and reaches {low}"
        answer = self.rule(name, low, high)
        assert low <= answer <= high, f"{name} = {answer!r} is not in [{low}, {high}]"
        return answer


class ModelContract:
    """Inherit and give three fixtures: ``model`` (the class), ``data`` and ``queries``."""

    @pytest.fixture
    def model(self) -> type[Model]:
        """The class under test."""
        raise NotImplementedError

    @pytest.fixture
    def data(self) -> Any:
        """What ``fit`` takes; enough to learn from."""
        raise NotImplementedError

    @pytest.fixture
    def queries(self) -> Any:
        """What ``predict`` takes; ``len`` or ``shape[0]`` says how many."""
        raise NotImplementedError

    def test_is_named_and_numbered(self, model: type[Model]) -> None:
        """The version's architecture is spelt ``family@version``."""
        assert model.family
        assert "/" not in model.family
        assert "@" not in model.family
        assert model.version >= 1

    def test_its_config_is_frozen_and_refuses_unknown_keys(self, model: type[Model]) -> None:
        """A typing error in a setting does not pass silently."""
        assert model.Config.model_config.get("frozen") is True
        with pytest.raises(ValidationError):
            model.Config(**{"no_such_hyperparameter": 1})

    def test_its_config_survives_json(self, model: type[Model]) -> None:
        """Hyperparameters are recorded, and read back for the final fit."""
        config = model.Config()
        stored = config.model_dump(mode="json")
        assert canonical_json(stored)
        assert model.Config.model_validate(stored) == config

    def test_its_default_lies_in_its_search_space(self, model: type[Model]) -> None:
        """The search begins with it, under the names of the fields."""
        defaults: Mapping[str, Any] = model.Config().model_dump(mode="json")

        def default(name: str, _low: Any, _high: Any) -> Any:
            return defaults[name]

        proposed = _suggested(model, Answers(default))
        assert proposed == model.Config()

    @pytest.mark.parametrize("end", [0, 1])
    def test_both_ends_of_its_search_space_are_valid(self, model: type[Model], end: int) -> None:
        """The search may propose any of it."""
        proposed = _suggested(model, Answers(lambda _name, low, high: (low, high)[end]))
        assert isinstance(proposed, model.Config)

    def test_predicts_one_finite_row_a_query(
        self, model: type[Model], data: Any, queries: Any
    ) -> None:
        """The first axis is the queries'."""
        predicted = model.fit(data, model.Config()).predict(queries)
        assert len(predicted) == _count(queries)
        assert np.isfinite(predicted).all()

    def test_learns_the_same_bytes_from_the_same_data(
        self, model: type[Model], data: Any, tmp_path: Path
    ) -> None:
        """Deterministic, so that a version can be reproduced."""
        for name in ("one", "other"):
            model.fit(data, model.Config()).save(tmp_path / name)
        assert _content(tmp_path / "one") == _content(tmp_path / "other")

    def test_predicts_the_same_after_saving_and_loading(
        self, model: type[Model], data: Any, queries: Any, tmp_path: Path
    ) -> None:
        """What was validated is what serves."""
        fitted = model.fit(data, model.Config())
        fitted.save(tmp_path / "model")
        loaded = model.load(tmp_path / "model")
        np.testing.assert_array_equal(loaded.predict(queries), fitted.predict(queries))

    def test_saves_only_files_that_cannot_run_code(
        self, model: type[Model], data: Any, tmp_path: Path
    ) -> None:
        """No pickle, in any disguise."""
        model.fit(data, model.Config()).save(tmp_path)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        assert {path.suffix for path in files} <= SAFE
        for path in files:
            if path.suffix == ".npy":
                np.load(path, mmap_mode="r", allow_pickle=False)

    def test_a_missing_file_is_a_damaged_artifact(
        self, model: type[Model], data: Any, tmp_path: Path
    ) -> None:
        """Said, not crashed upon."""
        model.fit(data, model.Config()).save(tmp_path)
        next(path for path in sorted(tmp_path.rglob("*")) if path.is_file()).unlink()
        with pytest.raises(ArtifactCorrupt):
            model.load(tmp_path)

    def test_a_truncated_file_is_a_damaged_artifact(
        self, model: type[Model], data: Any, tmp_path: Path
    ) -> None:
        """Said, not crashed upon."""
        model.fit(data, model.Config()).save(tmp_path)
        largest = max(tmp_path.rglob("*"), key=lambda path: path.stat().st_size)
        largest.write_bytes(largest.read_bytes()[:-1])
        with pytest.raises(ArtifactCorrupt):
            model.load(tmp_path)


def _suggested(model: type[Model], answers: Answers) -> Any:
    return model.Config.suggest(answers)  # type: ignore[attr-defined]


def _count(queries: Any) -> int:
    return int(queries.shape[0]) if hasattr(queries, "shape") else len(queries)


def _content(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
