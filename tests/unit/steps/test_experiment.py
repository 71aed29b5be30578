"""An experiment: which version is tried, on which data, and what it is told apart from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_world import ToyWorld

from flyball.domain.routing import Slot
from flyball.errors import ConfigurationError, NotFound
from flyball.ports import Change
from flyball.steps.experiment import CHILD, ExperimentRequest, carried_out, experiment, subject
from flyball.testing.builders import a_route, a_version
from flyball.testing.fakes import MemoryRecords
from flyball.testing.toy import Curve, ToyApplication


class Laboratory(ToyApplication):
    """The toy, with one experiment: it says what it was given."""

    def experiment(self, name, model, config, tables, *, seed, options):
        if name != "echo":
            return super().experiment(name, model, config, tables, seed=seed, options=options)
        rows = {table: frame.height for table, frame in tables.items()}
        config = config.model_dump(mode="json")
        return {"family": model.family, "config": config, "rows": rows, "seed": seed, **options}


class Child:
    """Runs the child's part here."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def call(self, function: str, request: Any, *, timeout_s: float) -> Any:
        self.calls.append(function)
        asked = ExperimentRequest(**request)
        return carried_out(asked, application=Laboratory(), family=Curve)


def tried(tmp_path: Path, name: str = "echo", **fields: Any) -> tuple[Any, Child]:
    world, child = ToyWorld(tmp_path), Child()
    given: dict[str, Any] = {
        "application": Laboratory(),
        "family": "curve",
        "hyperparameters": {"degree": 3, "penalty": 2.0},
        "data": world.data,
        "seed": 5,
        "options": {"share": 0.5},
        "datasets": world.datasets,
        "executor": child,
    }
    return experiment(name, **(given | fields)), child


def test_is_given_the_family_its_settings_the_rows_the_seed_and_the_options(tmp_path):
    found, child = tried(tmp_path)
    assert found == {
        "family": "curve",
        "config": {"degree": 3, "penalty": 2.0},
        "rows": {"points": 120},
        "seed": 5,
        "share": 0.5,
    }
    assert child.calls == [CHILD]


def test_without_hyperparameters_takes_the_defaults_of_the_family(tmp_path):
    found, _ = tried(tmp_path, hyperparameters=None)
    assert found["config"] == {"degree": 1, "penalty": 1.0}


def test_says_which_hyperparameter_the_installed_code_does_not_take(tmp_path):
    with pytest.raises(ConfigurationError, match=r"degree: .*; bent: .*train a version"):
        tried(tmp_path, hyperparameters={"degree": 99, "bent": True})


def test_that_the_application_does_not_know_is_refused(tmp_path):
    with pytest.raises(NotFound, match="'launch'"):
        tried(tmp_path, "launch")


class TestTheSubject:
    def test_is_the_version_that_serves(self):
        old, new = a_version("1.0.0"), a_version("1.1.0")
        records = MemoryRecords()
        route = a_route(slots={Slot.BLUE: old.name}, live=Slot.BLUE)
        records.commit([Change(value=value) for value in (old, new, route)])
        assert subject(records, "games") == old

    def test_is_the_newest_where_none_serves(self):
        old, new = a_version("1.0.0"), a_version("1.1.0")
        records = MemoryRecords()
        records.commit([Change(value=value) for value in (old, new)])
        assert subject(records, "games") == new

    def test_is_asked_for_where_there_is_none(self):
        with pytest.raises(NotFound, match=r"run `flyball train games` first.*--family"):
            subject(MemoryRecords(), "games")
