"""What each check catches, and what it lets pass."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flyball.checks.accuracy import Accuracy
from flyball.checks.artifact import ArtifactIntegrity
from flyball.checks.integration import ServesItsApi
from flyball.checks.latency import ScoringLatency, measure, peak_rss_bytes
from flyball.domain.validation import Verdict
from flyball.errors import ConfigurationError, DeploymentError
from flyball.settings import Gates
from flyball.testing.bench import Bench
from flyball.testing.toy import MODELS, Curve, CurveConfig, ToyApplication


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def accuracy() -> Accuracy:
    return Accuracy(MODELS.__getitem__)


class TestAccuracy:
    """Surely better than the baseline, and hardly worse than the champion."""

    def test_a_model_that_learnt_something_passes(self, bench):
        result = accuracy().run(bench.context(bench.good()))
        (baseline,) = result.details["intervals"]
        assert result.verdict is Verdict.PASS
        assert baseline["low"] > 0
        assert result.details["units"] == 80
        assert baseline["difference"] == pytest.approx(
            result.details["candidate"] - baseline["value"]
        )

    def test_another_model_that_does_as_the_baseline_is_no_gain(self, bench):
        result = accuracy().run(bench.context(replace(bench.poor(), family="curve")))
        assert result.verdict is Verdict.FAIL
        assert "baseline (mean)" in result.recommendation

    def test_the_baseline_itself_may_serve_where_nothing_does(self, bench):
        result = accuracy().run(bench.context(bench.poor()))
        assert result.verdict is Verdict.PASS
        assert "the search found nothing better" in result.summary

    def test_the_baseline_itself_does_not_take_a_better_champions_place(self, bench):
        result = accuracy().run(bench.context(bench.poor(), champion=bench.good()))
        assert result.verdict is Verdict.FAIL
        assert "champion 1.0.0-" in result.recommendation

    def test_worse_than_the_champion_by_much_fails(self, bench):
        weak = Curve.fit(bench.prepared.final.train, CurveConfig(degree=3, penalty=300.0))
        context = bench.context(bench.version("1.1.0", weak), champion=bench.good())
        result = accuracy().run(context)
        assert result.verdict is Verdict.FAIL
        assert result.details["intervals"][1]["verdict"] == "fail"
        assert "champion 1.0.0-" in result.recommendation

    def test_as_good_as_the_champion_passes(self, bench):
        result = accuracy().run(bench.context(bench.good("1.1.0"), champion=bench.good()))
        against = result.details["intervals"][1]
        assert result.verdict is Verdict.PASS
        assert against["difference"] == 0.0
        assert against["bound"] == pytest.approx(-0.02 * against["value"])

    def test_a_difference_that_could_be_chance_is_inconclusive(self, bench):
        context = bench.context(bench.good("1.1.0"), champion=bench.good())
        result = accuracy().run(replace(context, limits=Gates(max_loss=0.0)))
        assert result.verdict is Verdict.INCONCLUSIVE
        assert "too little data to tell it from the champion" in result.recommendation

    def test_an_objective_that_is_not_measured_is_named(self, bench):
        context = bench.context(bench.good(), objective="auc")
        with pytest.raises(ConfigurationError, match="does not measure the objective 'auc'"):
            accuracy().run(context)

    def test_finds_the_baseline_among_the_plug_ins(self, bench):
        """The toy's families are not installed, and it says which are."""
        with pytest.raises(ConfigurationError, match="no plug-in called 'mean'"):
            Accuracy().run(bench.context(bench.good()))


def rewrite(name: str, content: bytes) -> Callable[[Path], None]:
    def spoil(directory: Path) -> None:
        (directory / name).write_bytes(content)

    return spoil


class TestArtifactIntegrity:
    """Bytes as recorded, and none that can run code."""

    def test_an_untouched_artifact_passes(self, bench):
        result = ArtifactIntegrity().run(bench.context(bench.good()))
        assert result.verdict is Verdict.PASS
        assert result.details["files"] == 2

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (rewrite("toy.json", b"{}"), "toy.json was changed"),
            (rewrite("model/extra.json", b"{}"), "model/extra.json is not in the manifest"),
            (rewrite("model.pkl", b"x"), "model.pkl has a file type that is not known to be safe"),
            (rewrite("manifest.json", b"not json"), "manifest.json lists no digests"),
            (rewrite("manifest.json", b'{"files": 1}'), "manifest.json lists no digests"),
            (lambda directory: shutil.rmtree(directory / "model"), "model/weights.npy is missing"),
        ],
    )
    def test_says_what_is_wrong(self, bench, spoil, said):
        result = ArtifactIntegrity().run(bench.context(bench.good(spoil=spoil)))
        assert result.verdict is Verdict.FAIL
        assert said in result.summary
        assert "do not use this artifact" in result.recommendation

    def test_an_array_of_objects_is_refused(self, bench):
        def pickled(directory: Path) -> None:
            hidden = np.array([{"a": 1}], dtype=object)
            np.save(directory / "model" / "hidden.npy", hidden, allow_pickle=True)

        result = ArtifactIntegrity().run(bench.context(bench.good(spoil=pickled)))
        assert "model/hidden.npy is not an array of plain numbers" in result.summary

    def test_bytes_changed_in_the_store_are_a_verdict(self, bench):
        version = bench.good()
        stored = bench.blobs.get(version.artifact) / "toy.json"
        stored.parent.chmod(0o755)
        stored.chmod(0o644)
        stored.write_text(json.dumps({"family": "mean"}))
        result = ArtifactIntegrity().run(bench.context(version))
        assert result.verdict is Verdict.FAIL


class TestScoringLatency:
    """The 95th percentile within its limit."""

    def test_passes_within_the_limit(self, bench):
        result = ScoringLatency().run(bench.context(bench.good(), limits=Gates(p95_ms=10_000.0)))
        assert result.verdict is Verdict.PASS
        assert 0 < result.details["p50_ms"] <= result.details["p95_ms"] <= result.details["p99_ms"]

    def test_fails_beyond_it_and_says_both_numbers(self, bench):
        result = ScoringLatency().run(bench.context(bench.good(), limits=Gates(p95_ms=1e-9)))
        assert result.verdict is Verdict.FAIL
        assert "at most 1e-09 ms" in result.summary

    def test_warms_up_and_then_times_each_request(self, bench):
        asked: list[int] = []

        class Counting(ToyApplication):
            def scoring_probe(self, servable: Any) -> Callable[[], None]:
                return lambda: asked.append(1)

        directory = bench.blobs.get(bench.good().artifact)
        measured = measure(Counting(), directory, requests=200)
        assert measured["requests"] == 200
        assert len(asked) > 200

    def test_memory_is_this_processs_own(self):
        held = np.ones(8_000_000)
        assert peak_rss_bytes() > held.nbytes


class TestServesItsApi:
    """Everything that is tried on a real server must hold."""

    def test_passes_when_all_holds(self, bench):
        version = bench.good()
        result = ServesItsApi().run(bench.context(version))
        assert result.verdict is Verdict.PASS
        assert bench.target.candidates == [version.id]
        assert result.details["calls"][0]["tried"] == "has an address"

    def test_fails_with_the_first_call_that_did_not_hold(self, bench):
        bench.target.candidate_url = "nowhere"
        result = ServesItsApi().run(bench.context(bench.good()))
        assert result.verdict is Verdict.FAIL
        assert "has an address: nowhere" in result.summary

    def test_nothing_tried_is_no_pass(self, bench):
        class Idle(ToyApplication):
            def exercise(self, url: str) -> Any:
                return iter(())

        result = ServesItsApi().run(bench.context(bench.good(), application=Idle()))
        assert result.verdict is Verdict.INCONCLUSIVE

    def test_a_server_that_does_not_start_is_an_error(self, bench):
        bench.target.candidate_url = None
        with pytest.raises(DeploymentError):
            ServesItsApi().run(bench.context(bench.good()))


class TestAChampionThatKnowsTheAnswers:
    """It is not compared: it would win by heart, and could never be replaced."""

    def judged(self, bench, mine, theirs):
        candidate, champion = bench.good("1.1.0"), bench.good("1.0.0")
        prepared = replace(bench.prepared, split=mine)
        context = bench.context(
            candidate, champion=champion, champion_split=theirs, prepared=prepared
        )
        return accuracy().run(context)

    @pytest.mark.parametrize(
        ("mine", "theirs", "words"),
        [
            ({"kind": "by hash"}, {"kind": "by time", "cutoff": 9.0}, "split otherwise"),
            ({"kind": "by time", "cutoff": 5.0}, {"kind": "by time", "cutoff": 9.0}, "up to day 9"),
        ],
    )
    def test_is_said_and_left_to_an_operator(self, bench, mine, theirs, words):
        result = self.judged(bench, mine, theirs)
        assert result.verdict is Verdict.INCONCLUSIVE
        assert words in result.summary
        assert "operator" in result.recommendation

    def test_an_older_champion_is_compared(self, bench):
        mine, theirs = ({"kind": "by time", "cutoff": day} for day in (9.0, 5.0))
        assert self.judged(bench, mine, theirs).verdict is not Verdict.INCONCLUSIVE
