"""Training again from the record alone: what is promised, on the toy, with its faults."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from toy_world import FolderDatasets, InProcess, ToyWorld

from flyball.domain.data import DatasetVersion
from flyball.domain.lifecycle import ModelVersion
from flyball.domain.training import Run
from flyball.errors import (
    ArtifactCorrupt,
    ConfigurationError,
    EnvironmentFailed,
    NotFound,
    StorageUnavailable,
)
from flyball.ports import Change
from flyball.settings import Search
from flyball.steps.artifact_difference import CompareRequest, carried_out
from flyball.steps.causes import Aspect
from flyball.steps.reproduce import ACTION, CHILD, COMPARE, Reproducer
from flyball.steps.reproduction import Outcome
from flyball.testing.toy import MODELS, Curve, a_frame


class Children(InProcess):
    """Also compares, and may be told to fail."""

    error: Exception | None = None

    def call(self, function, request, *, timeout_s):
        if function == COMPARE:
            self.calls.append(function)
            return carried_out(CompareRequest(**request), application=self.application)
        if self.error is not None:
            raise self.error
        return super().call(function, request, timeout_s=timeout_s)


class Listed(FolderDatasets):
    """Files by their MD5, and the listings of versions."""

    def __init__(self, root):
        super().__init__(root)
        self.listings: dict[str, dict[str, str]] = {}
        self.damaged: set[str] = set()

    def listing(self, version):
        if version not in self.listings:
            raise NotFound(f"the listing of {version} is not here")
        return self.listings[version]

    def path(self, md5):
        if md5 in self.damaged:
            raise ArtifactCorrupt(f"the data file {md5} is damaged")
        return super().path(md5)


class World(ToyWorld):
    """The toy's world with a version in it."""

    def __init__(self, root):
        super().__init__(root)
        self.datasets = Listed(self.datasets.root)
        self.datasets.listings[self.data.version] = dict(self.data.files)
        self.executor = Children(self.application, MODELS)
        self.version = self.train().version
        self.said: list[tuple[str, int, int]] = []

    @property
    def run(self):
        return self.records.get(Run, f"toy/{self.version.run_id}")

    def changed(self, before, **fields):
        self.records.commit([Change(value=replace(before, **fields), replacing=before)])

    def reproduce(self, **how):
        reproducer = Reproducer(
            application=self.application,
            records=self.records,
            datasets=self.datasets,
            blobs=self.blobs,
            executor=self.executor,
            clock=self.clock,
            scratch=self.scratch,
            actor="operator:ada",
            told=lambda *said: self.said.append(said),
        )
        return reproducer(self.version, **how)

    def left_alone(self):
        """Holds where nothing is left over and the version is as it was."""
        assert self.records.get(ModelVersion, self.version.id) == self.version
        assert list(self.scratch.iterdir()) == []
        return True


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class TestAVersionWhoseRecordIsWhole:
    def test_is_trained_again_bit_by_bit_from_the_record_alone(self, world):
        world.settings = world.settings.model_copy(update={"search": Search(seed=99)})
        world.ingested(a_frame(300, seed=5))  # newer data, other settings: neither counts
        found = world.reproduce()
        assert found.outcome is Outcome.BITWISE
        assert (found.cause, found.causes, found.differences) == (None, (), ())
        assert found.again == found.artifact == world.version.artifact

    def test_is_left_as_it_is_and_nothing_is_stored_tracked_or_registered(self, world):
        before = (world.records.find(ModelVersion), world.records.find(Run))
        tracked = dict(world.tracker.runs), dict(world.tracker.versions)
        world.reproduce()
        assert (world.records.find(ModelVersion), world.records.find(Run)) == before
        assert (world.tracker.runs, world.tracker.versions) == tracked
        assert world.left_alone()

    def test_gets_a_row_in_the_ledger(self, world):
        rows = world.records.verify_ledger()
        found = world.reproduce()
        entry = world.records.ledger(limit=1)[0].entry
        assert world.records.verify_ledger() == rows + 1
        assert (entry.action, entry.actor) == (ACTION, "operator:ada")
        assert (entry.subject, entry.model) == (world.version.id, "toy")
        assert (entry.before, entry.after) == (found.artifact, found.again)
        assert entry.reason == f"bitwise equal: {found.why}"

    def test_is_fitted_once_and_not_searched_for(self, world):
        world.executor.calls.clear()
        found = world.reproduce()
        assert (world.executor.calls, found.searched) == ([CHILD], False)
        assert [what for what, _, _ in world.said] == [
            "reading the record", "fitting", "comparing",
        ]  # fmt: skip

    def test_is_fitted_with_as_many_threads_as_the_first_time(self, world):
        recorded = world.reproduce().threads
        found = world.reproduce(threads=recorded + 1)
        assert found.threads == recorded + 1
        assert found.cause.aspect is Aspect.THREADS
        assert found.outcome is Outcome.METRICS
        assert [pair.path for pair in found.differences] == ["manifest.json"]

    def test_remembers_packages_and_platform(self, world):
        result = world.run.result
        assert any(package.startswith("numpy==") for package in result.packages)
        assert {"python", "system", "machine", "cpu", "blas"} <= set(result.platform)
        assert world.reproduce().platform_known


class TestASearchDoneAgain:
    def test_tries_the_same_and_finds_the_same(self, world):
        found = world.reproduce(search=True)
        assert found.searched
        assert (found.outcome, found.causes) == (Outcome.BITWISE, ())
        assert ("searching", 0, 4) in world.said

    def test_takes_what_it_took_from_earlier_runs_and_not_what_was_learnt_since(self, world):
        second = world.train(data=world.ingested(a_frame(150, seed=3)))
        world.datasets.listings[second.version.recipe.data_version] = {}
        world.train(data=world.ingested(a_frame(180, seed=4)))
        world.version = second.version
        world.datasets.listings.clear()
        found = world.reproduce(search=True)
        assert found.causes == ()
        assert found.outcome is Outcome.BITWISE

    def test_that_differs_names_the_trial_also_where_the_winner_is_the_same(self, world):
        run = world.run
        first, *rest = run.result.trials
        trials = (replace(first, value=0.123), *rest)
        world.changed(run, result=replace(run.result, trials=trials))
        found = world.reproduce(search=True)
        assert found.outcome is Outcome.BITWISE
        assert found.cause.aspect is Aspect.SEARCH
        assert "instead of 0.123" in found.cause.detail


class Louder(Curve):
    """Learns something else than it did."""

    @classmethod
    def fit(cls, data, config):
        return cls(3.0 * super().fit(data, config).weights)


class Restless(Curve):
    """Never learns quite the same twice."""

    @classmethod
    def fit(cls, data, config):
        weights = super().fit(data, config).weights
        return cls(weights * (1.0 + 1e-12 * np.random.default_rng().random(len(weights))))


class TestAVersionThatComesOutDifferent:
    def test_because_of_its_code_is_different_and_says_so(self, world):
        world.executor.models = {**MODELS, "curve": Louder}
        found = world.reproduce()
        assert found.outcome is Outcome.DIFFERENT
        assert found.cause.aspect is Aspect.CODE
        assert "model/weights.npy" in found.why
        assert [metric.equal for metric in found.metrics] == [False]
        assert found.again != found.artifact
        assert world.left_alone()

    def test_by_chance_alone_is_equal_in_metrics_and_says_that_it_does_not_repeat(self, tmp_path):
        world = World(tmp_path)
        world.executor.models = {**MODELS, "curve": Restless}
        world.version = world.train(trials=3).version
        found = world.reproduce()
        assert (found.outcome, found.causes) == (Outcome.METRICS, ())
        assert "the fit does not repeat itself" in found.why
        assert found.differences[0].arrays[0].largest < 1e-9

    def test_because_of_its_data_names_the_file(self, world):
        other = world.datasets.keep(a_frame().with_columns(y=4.0 * pl.col("y")))
        [name] = world.data.files
        world.changed(world.records.get(DatasetVersion, world.data.id), files={name: other})
        found = world.reproduce()
        assert found.outcome is Outcome.DIFFERENT
        assert found.cause.aspect is Aspect.DATA
        assert name in found.cause.detail

    def test_because_of_its_seed_says_which(self, world):
        world.changed(world.run, seed=8)
        found = world.reproduce()
        assert found.cause.aspect is Aspect.SEED
        assert "split 7 is 8 now" in found.cause.detail

    def test_on_another_machine_says_what_is_other_there(self, world):
        run = world.run
        before = {**run.result.platform, "cpu": "Z80"}
        world.changed(run, result=replace(run.result, platform=before))
        found = world.reproduce()
        assert found.cause.aspect is Aspect.PLATFORM
        assert "cpu Z80 is" in found.cause.detail
        assert found.outcome is Outcome.BITWISE  # it made no difference


class TestCodeThatWasEdited:
    def test_without_effect_leaves_the_model_the_same_byte_for_byte(self, tmp_path):
        source = tmp_path / "edited_shop.py"
        source.write_text(
            "from flyball.testing.toy import ToyApplication\n\n"
            "class Shop(ToyApplication):\n    '''Another application.'''\n"
        )
        spec = importlib.util.spec_from_file_location("edited_shop", source)
        module = sys.modules["edited_shop"] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
            world = World(tmp_path)
            world.application = world.executor.application = module.Shop()
            world.version = world.train(trials=3).version
            source.write_text(source.read_text() + "# a remark\n")
            found = world.reproduce()
        finally:
            del sys.modules["edited_shop"]
        assert found.outcome is Outcome.METRICS
        assert found.cause.aspect is Aspect.CODE
        assert "the model's files are the same, byte for byte" in found.why


class TestAVersionThatCannotBeTrainedAgain:
    """Exit code 3 and the way out; no row in the ledger, and nothing left over."""

    @pytest.fixture
    def rows(self, world):
        return world.records.verify_ledger()

    def refused(self, world, rows, kind, words):
        with pytest.raises(kind, match=words) as caught:
            world.reproduce()
        assert world.records.verify_ledger() == rows
        assert world.left_alone()
        return caught.value

    def test_because_its_data_is_gone(self, world, rows):
        world.datasets.path(world.data.version).unlink()
        error = self.refused(
            world, rows, StorageUnavailable, rf"is gone.*flyball data pull toy {world.data.version}"
        )
        assert error.exit_code == 3

    def test_because_its_data_is_damaged(self, world, rows):
        world.datasets.damaged.add(world.data.version)
        error = self.refused(world, rows, ArtifactCorrupt, "was changed.*flyball data pull toy")
        assert error.exit_code == 3

    def test_because_its_artifact_is_gone(self, world, rows):
        world.changed(world.records.get(ModelVersion, world.version.id), artifact="0" * 64)
        world.version = world.records.get(ModelVersion, world.version.id)
        self.refused(world, rows, StorageUnavailable, "nothing to compare with")

    def test_because_its_artifact_is_damaged(self, world, rows):
        weights = world.blobs.get(world.version.artifact) / "model" / "weights.npy"
        weights.chmod(0o644)
        weights.write_bytes(b"x")
        self.refused(world, rows, ArtifactCorrupt, r"weights\.npy was changed")

    def test_because_the_family_takes_its_hyperparameters_no_longer(self, world, rows):
        recipe = replace(world.version.recipe, hyperparameters={"bent": True})
        world.changed(world.records.get(ModelVersion, world.version.id), recipe=recipe)
        world.version = world.records.get(ModelVersion, world.version.id)
        self.refused(world, rows, ConfigurationError, "bent.*install the Flyball")

    def test_because_the_child_crashed(self, world, rows):
        world.executor.error = EnvironmentFailed("the child was killed")
        self.refused(world, rows, EnvironmentFailed, "was killed")
