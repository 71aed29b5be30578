"""What training promises: one request, one run, one version, whatever happens on the way."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from toy_world import Crash, Effects, ToyWorld

from flyball.domain.data import EMPTY, DatasetVersion
from flyball.domain.evidence import EvidenceKind
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.training import Run, RunPhase
from flyball.errors import ConfigurationError, NotFound, StorageUnavailable, TrainingError
from flyball.ports import Change
from flyball.steps.manifest import code_fingerprint, read_manifest
from flyball.testing.toy import MODELS, Mean, ToyApplication, a_frame


@pytest.fixture
def world(tmp_path: Path) -> ToyWorld:
    return ToyWorld(tmp_path)


def state_of(world: ToyWorld) -> dict[str, Any]:
    """All that is recorded, without what a run cost, which differs from run to run."""

    def timeless(run: Run) -> Run:
        if run.result is None:
            return run
        trials = tuple(replace(trial, seconds=0.0) for trial in run.result.trials)
        return replace(run, result=replace(run.result, trials=trials))

    return {
        "runs": [timeless(run) for run in world.records.find(Run)],
        "versions": world.records.find(ModelVersion),
        "ledger": [
            (row.entry.subject, row.entry.before, row.entry.after) for row in world.records.ledger()
        ],
        "tracked": world.tracker.runs,
        "registered": world.tracker.versions,
        "aliases": world.tracker.aliases,
        "left over": [path.name for path in world.scratch.iterdir()],
    }


class TestTraining:
    """From the newest data to a candidate that waits for validation."""

    def test_makes_the_first_version_of_a_model(self, world):
        trained = world.train()
        assert trained.new
        assert trained.version.name.startswith(f"1.0.0-{world.data.version[:8]}-")
        assert trained.version.state is State.VALIDATION
        assert trained.version.recipe.architecture == "toy@1/curve@1"
        assert world.records.get(ModelVersion, trained.version.id) == trained.version

    def test_records_the_run_with_all_it_tried(self, world):
        trained = world.train()
        run = world.records.get(Run, trained.run.id)
        assert run.phase is RunPhase.DONE
        assert run.version == trained.version.name
        assert run.trials_done == len(run.result.trials) == 4
        assert run.split == {"kind": "random", "share": 0.2, "seed": 7}
        assert run.result.metrics == trained.version.metrics

    def test_writes_each_move_to_the_ledger_with_its_evidence(self, world):
        trained = world.train()
        moves = [(r.entry.before, r.entry.after, r.entry.evidence) for r in world.records.ledger()]
        assert [(before, after) for before, after, _ in moves] == [
            ("", "development"),
            ("development", "training"),
            ("training", "validation"),
        ]
        assert [evidence.kind for _, _, evidence in moves] == [
            EvidenceKind.RUN,
            EvidenceKind.DATASET,
            EvidenceKind.RUN,
        ]
        assert moves[1][2].id == world.data.id
        assert moves[2][2].id == trained.run.id

    def test_tracks_registers_and_names_the_challenger(self, world):
        trained = world.train()
        tracked = world.tracker.runs[trained.run.id]
        assert tracked["params"]["family"] == "curve"
        assert "manifest.json" in tracked["files"]
        assert world.tracker.versions == {trained.version.id: trained.run.result.tracked_as}
        assert world.tracker.aliases == {("toy", "challenger"): trained.version.name}

    def test_packages_an_artifact_that_says_what_it_is_made_of(self, world):
        trained = world.train()
        directory = world.blobs.get(trained.version.artifact)
        manifest = read_manifest(directory)
        assert manifest.data_version == world.data.version
        assert manifest.hyperparameters == trained.version.recipe.hyperparameters
        assert manifest.code == code_fingerprint(world.application, *MODELS.values())
        assert manifest.threads >= 1
        assert set(manifest.files) == {"toy.json", "model/weights.npy"}
        assert json.loads((directory / "toy.json").read_text())["rows"] == world.data.rows

    def test_learns_from_the_data_version_it_is_given(self, world):
        world.ingested(a_frame(200, seed=2))
        trained = world.train(data=world.data)
        assert trained.version.recipe.data_version == world.data.version

    def test_without_any_data_says_what_to_do(self, tmp_path):
        world = ToyWorld(tmp_path)
        with pytest.raises(NotFound, match="run `flyball ingest other SOURCE` first"):
            train_other(world)

    @pytest.mark.parametrize("budget", [{"trials": 0}, {"timeout_s": 0.0}])
    def test_refuses_a_budget_of_nothing(self, world, budget):
        with pytest.raises(ConfigurationError, match="needs at least one trial"):
            world.train(**budget)


def train_other(world: ToyWorld) -> None:
    from flyball.steps.train import train

    train(
        "other",
        application=world.application,
        data=None,
        settings=world.settings,
        records=world.records,
        datasets=world.datasets,
        blobs=world.blobs,
        tracker=world.tracker,
        executor=world.executor,
        clock=world.clock,
        scratch=world.scratch,
        study_url=f"sqlite:///{world.root / 'studies.sqlite'}",
        actor="control",
    )


class TestTheDataItLearnsFrom:
    """The dataset's newest version, unless another is named."""

    def test_is_an_earlier_version_once_that_is_the_newest_again(self, world):
        first = world.data
        world.ingested(a_frame(200, seed=2))
        start = world.records.get(DatasetVersion, f"toy/{EMPTY}")
        back = replace(start, head=first.version)
        world.records.commit([Change(value=back, replacing=start)])
        assert world.train().version.recipe.data_version == first.version


class TestNames:
    """What the number says."""

    def test_the_same_recipe_on_new_data_is_a_patch(self, world):
        class OneRecipe(ToyApplication):
            families = ("mean",)

        world.application = world.executor.application = OneRecipe()
        first = world.train().version.number
        world.clock.advance(60)
        world.ingested(a_frame(200, seed=2))
        second = world.train().version.number
        assert (first.major, first.minor, first.patch) == (1, 0, 0)
        assert (second.major, second.minor, second.patch) == (1, 0, 1)

    def test_new_feature_code_is_a_new_major(self, world):
        class Reworked(ToyApplication):
            version = 2

        world.train()
        world.application = world.executor.application = Reworked()
        assert str(world.train().version.number).startswith("2.0.0-")

    def test_other_trials_that_find_the_same_winner_are_the_same_version(self, world):
        first = world.train(trials=2)
        again = world.train(trials=2, timeout_s=500.0)
        assert again.run.id != first.run.id
        assert again.version == first.version
        assert not again.new
        assert len(world.records.find(ModelVersion)) == 1
        assert len(world.records.ledger()) == 3


class TestAgain:
    """The same request is the same run."""

    def test_changes_nothing_and_trains_nothing(self, world):
        first = world.train()
        before = state_of(world)
        world.clock.advance(3600)
        again = world.train()
        assert not again.new
        assert (again.version, again.run) == (first.version, first.run)
        assert state_of(world) == before
        assert len(world.executor.calls) == 1

    def test_does_not_make_an_old_version_the_challenger_again(self, world):
        first = world.train()
        rejected = replace(first.version, state=State.DEVELOPMENT)
        from flyball.ports import Change

        world.records.commit([Change(value=rejected, replacing=first.version)])
        world.tracker.aliases.clear()
        world.train()
        assert world.tracker.aliases == {}


class TestACrash:
    """Anywhere: the same command again ends as if nothing had happened."""

    def test_after_any_effect_neither_loses_nor_doubles(self, tmp_path):
        calm = ToyWorld(made(tmp_path / "calm"))
        effects = Effects()
        calm.train(effects, trials=1)
        expected = state_of(calm)
        assert len(effects.seen) >= 10
        for number, effect in enumerate(effects.seen):
            world = ToyWorld(made(tmp_path / str(number)))
            with pytest.raises(Crash):
                world.train(Effects(crash_at=number), trials=1)
            world.train(trials=1)
            assert state_of(world) == expected, f"crashed {effect} (number {number})"


def made(directory: Path) -> Path:
    directory.mkdir()
    return directory


class TestAFailure:
    """It is recorded with its reason, and can be tried again."""

    def test_of_the_data_is_told_and_recorded(self, tmp_path):
        world = ToyWorld(tmp_path, frame=a_frame(5))
        with pytest.raises(TrainingError, match="5 rows are too few"):
            world.train()
        (run,) = world.records.find(Run)
        assert run.phase is RunPhase.FAILED
        assert "5 rows are too few" in run.error
        assert world.records.find(ModelVersion) == []

    def test_of_the_disk_can_be_continued(self, world):
        class Full:
            def put(self, directory: Path) -> str:
                raise StorageUnavailable("the disk is full")

        with pytest.raises(StorageUnavailable):
            world.train(blobs=Full())
        (run,) = world.records.find(Run)
        assert (run.phase, run.error) == (
            RunPhase.FAILED,
            "The storage cannot be used: the disk is full",
        )
        trained = world.train()
        assert trained.run.id == run.id
        assert trained.run.error == ""
        assert trained.new

    def test_of_two_batches_that_do_not_fit_each_other_names_them(self, world):
        odd = world.datasets.keep(pl.DataFrame({"x": ["a"], "y": ["b"]}))
        both = replace(
            world.data,
            version="f" * 32,
            files={**world.data.files, f"0002-points-{odd[:12]}.parquet": odd},
        )
        with pytest.raises(TrainingError, match="cannot be read as one table"):
            world.train(data=both)


class TestProgress:
    """Any process can show how far a run has come."""

    def test_the_record_rises_while_the_child_works(self, world):
        seen = threading.Event()

        def until_shown(request: Any) -> None:
            for _ in range(200):
                (run,) = world.records.find(Run)
                if run.trials_done == request.trials and run.phase is RunPhase.SEARCHING:
                    return seen.set()
                threading.Event().wait(0.05)
            return None

        world.executor.meanwhile = until_shown
        world.train()
        assert seen.is_set()


class TestTheCodeFingerprint:
    """Another code, another run."""

    def test_is_stable(self):
        assert code_fingerprint(ToyApplication()) == code_fingerprint(ToyApplication())

    def test_covers_an_application_outside_the_package(self):
        class Elsewhere(Mean):
            pass

        assert code_fingerprint(Elsewhere) != code_fingerprint(Mean)
