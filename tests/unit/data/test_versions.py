"""``flyball data log, diff, checkout, push, pull, gc``, from the command line to the files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from dataset_home import Home, plays
from flyball.cli import data_versions
from flyball.domain.data import PACKAGE, DataBatch
from flyball.domain.validation import Verdict
from flyball.errors import ArtifactCorrupt, NotFound
from flyball.ports import Change
from flyball.steps.collect import YOUNG
from flyball.steps.hash_bags import Apart
from flyball.testing.datasets import NOBODY, soon
from flyball.testing.fakes import ManualClock

ONE = plays(("ada", "portal", 1.0), ("bob", "portal", 2.0), ("bob", "braid", 3.0))
TWO = plays(("bob", "portal", 2.5), ("eve", "limbo", 4.0))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def call(home: Home) -> Callable[..., Any]:
    """Run a command line; returns how it ended."""
    app = typer.Typer()
    data_versions.register(app)
    return lambda *line: CliRunner().invoke(app, line, obj=lambda _: home.flyball)


def later(home: Home) -> None:
    """Two hours pass."""
    home.flyball.platform._parts["clock"] = ManualClock(soon() + 2 * YOUNG)


class TestTheLog:
    """Every version, the newest first."""

    def test_tells_what_changed_by_whom_and_who_learned_from_it(self, home, call):
        first = home.add("monday", ONE)
        home.add("tuesday", TWO)
        name = home.learned(first)
        newer, older = home.flyball.data.log("games")
        assert newer.changed == ("batch tuesday added (2 rows)",)
        assert (newer.rows, newer.batches, newer.newest, newer.by) == (5, 2, True, "operator:ada")
        assert (older.version, older.learned, older.newest) == (first.version, (name,), False)
        shown = call("log", "games").stdout
        assert shown.index(newer.version[:12]) < shown.index(older.version[:12])
        assert name[:12] in shown

    def test_tells_of_rewritten_files_and_schemas(self, home):
        """As when a person was forgotten, or another schema accepted."""
        first = home.add("monday", ONE)
        file = next(iter(first.files))
        home.becomes(("monday",), {**first.files, file: home.kept(b"less")}, [], "forget", -1)
        forgotten = home.newest()
        home.becomes(("monday",), {**forgotten.files, PACKAGE: home.kept(b"{}")}, [], "schema", 0)
        schema, forgot, _ = home.flyball.data.log("games")
        assert (forgot.action, forgot.changed) == ("forget", ("1 row removed from 1 file",))
        assert (schema.action, schema.changed) == ("schema", ("schema changed",))

    def test_tells_the_rows_that_a_version_had_not_those_its_batch_has_now(self, home):
        """A person was forgotten since."""
        first = home.add("monday", ONE)
        home.add("tuesday", TWO)
        file, batch = next(iter(first.files)), home.flyball.platform.records.find(DataBatch)[0]
        less = Change(value=replace(batch, rows=2), replacing=batch)
        files = {**home.newest().files, file: home.kept(b"less")}
        home.becomes(("monday", "tuesday"), files, [less], "erase", -1)
        changed = [version.changed for version in home.flyball.data.log("games")]
        assert changed == [
            ("1 row removed from 1 file",),
            ("batch tuesday added (2 rows)",),
            ("batch monday added (3 rows)",),
        ]

    def test_leaves_out_rows_of_several_batches_that_do_not_add_up(self, home):
        """Nobody knows any more how many each had."""
        home.add("monday", ONE)
        files = {**home.newest().files, PACKAGE: home.kept(b"{}")}
        home.becomes(("monday", "x", "y"), files, [], "merge", 7)
        changed = home.flyball.data.log("games")[0].changed
        assert changed == ("batch x added", "batch y added", "schema changed")

    def test_before_any_data_it_says_so(self, home, call):
        assert home.flyball.data.log("games") == ()
        assert "no data yet" in call("log", "games").stdout

    def test_an_unknown_model_is_said(self, call):
        assert call("log", "gmaes").exit_code == 2


class TestCheckout:
    """The workspace follows; the record does not."""

    def test_lays_out_an_older_version_and_the_newest_again(self, home, call):
        home.add("monday", ONE)
        first = home.laid_out()
        home.add("tuesday", TWO)
        second = home.laid_out()
        older, newest = (v.version for v in reversed(home.flyball.data.log("games")))
        shown = call("checkout", "games", older[:6]).stdout.replace("\n", " ")
        assert home.laid_out() == first
        assert "`flyball data checkout games` lays that out again" in shown
        assert home.newest().version == newest
        assert home.flyball.data.checkout("games").newest
        assert home.laid_out() == second

    def test_a_wrong_version_is_said(self, home, call):
        home.add("monday", ONE)
        with pytest.raises(NotFound, match="data log games"):
            home.flyball.data.checkout("games", "zz")
        with pytest.raises(NotFound, match="pull"):
            home.flyball.data.checkout("games", NOBODY)
        assert call("checkout", "games", "zz").exit_code == 2

    def test_a_collected_version_says_that_it_was_collected(self, home):
        first = home.add("monday", ONE)
        other = replace(home.newest(), files={PACKAGE: home.kept(b"{}")})
        home.becomes(("monday",), dict(other.files), [], "schema", 0)
        later(home)
        home.flyball.data.collect()
        before = home.laid_out()
        with pytest.raises(NotFound, match=r"data gc.*data pull games"):
            home.flyball.data.checkout("games", first.version)
        assert home.laid_out() == before
        assert home.flyball.data.log("games")[1].here is False


class TestPushAndPull:
    """A directory as the remote; S3 is in ``tests/integration/test_s3_datasets.py``."""

    def test_a_lost_cache_comes_back(self, home, call):
        version = home.add("monday", ONE)
        home.flyball.data.push("games")
        for oid in home.store.stored():
            home.store._cache.remove(oid)
        done = home.flyball.data.pull("games", version.version[:8])
        assert (done.objects, done.missing) == (5, 0)
        assert "everything was there already" in call("pull", "games").stdout.replace("\n", " ")

    def test_a_version_that_is_not_recorded_comes_by_its_whole_hash(self, home, tmp_path, call):
        """Into another home, that shares the remote."""
        shared = Home(tmp_path / "one", remote=str(tmp_path / "shared"))
        version = shared.add("monday", ONE)
        expected = shared.laid_out()
        shared.close()
        other = Home(tmp_path / "two", remote=str(tmp_path / "shared"))
        done = other.flyball.data.pull("games", version.version)
        assert done.objects == 3
        other.flyball.data.checkout("games", version.version)
        assert other.laid_out() == expected
        with pytest.raises(NotFound):
            other.flyball.data.pull("games", version.version[:12])
        other.close()

    def test_missing_profiles_do_not_stop_a_pull(self, home, call):
        """A remote that ``dvc push`` filled has the data alone."""
        version = home.add("monday", ONE)
        beside = [oid for oid in home.store.stored() if oid.removesuffix(".dir") not in
                  {*version.files.values(), version.version}]  # fmt: skip
        home.store.remove(beside, kept_before=soon())
        assert home.flyball.data.pull("games").missing == len(beside) == 2
        assert "complete without" in call("pull", "games").stdout.replace("\n", " ")


class TestGarbage:
    """What nothing names goes; the rest says why it stays."""

    def test_shows_what_would_go_and_then_removes_that(self, home, call):
        home.add("monday", ONE)
        orphan = home.kept(b"of nobody")
        later(home)
        shown = call("gc", "--dry-run").stdout
        assert orphan in shown
        assert "would remove 1 object" in shown
        assert orphan in home.store.stored()
        later(home)  # a command closes what it opened
        told = json.loads(call("gc", "--json").stdout)
        assert told["removed"]["objects"] == 1
        assert list(told["decided"]["garbage"]) == [orphan]
        assert orphan not in home.store.stored()
        assert "nothing to remove" in call("gc").stdout

    def test_what_a_model_version_learned_from_can_still_be_laid_out(self, home):
        """Also when it is not the newest, with all that belongs to it."""
        first = home.add("monday", ONE)
        home.learned(first)
        home.becomes(("monday",), {PACKAGE: home.kept(b"{}")}, [], "schema", 0)
        later(home)
        home.flyball.data.collect()
        home.flyball.data.checkout("games", first.version)
        assert set(home.laid_out()) == set(first.files)
        assert home.flyball.data.pull("games", first.version).missing == 0

    def test_what_is_young_stays(self, home, call):
        orphan = home.kept(b"of nobody")
        shown = call("gc").stdout
        assert orphan in home.store.stored()
        assert "stored less than an hour ago" in shown


class TestDifferences:
    """Of two versions."""

    def test_of_an_added_batch(self, home, call):
        first = home.add("monday", ONE)
        home.add("tuesday", TWO)
        found = home.flyball.data.diff("games", first.version[:6])
        assert (found.rows_before, found.rows_after) == (3, 5)
        assert found.batches_added == ("tuesday",)
        (table,) = found.tables
        assert table.rows == Apart(added=2, removed=0)
        assert {v.column: (v.added, v.removed) for v in table.values} == {
            "user": (1, 0),
            "game": (1, 0),
        }
        assert (table.files_common, table.files_compared) == (1, 1)
        shown = call("diff", "games", first.version[:6]).stdout
        assert "people (user)" in shown
        assert "items (game)" in shown

    def test_the_other_way_round_is_the_opposite(self, home):
        first, second = home.add("monday", ONE), home.add("tuesday", TWO)
        (table,) = home.flyball.data.diff("games", second.version, first.version).tables
        assert table.rows == Apart(added=0, removed=2)

    def test_of_a_version_with_itself_is_nothing(self, home, call):
        first = home.add("monday", ONE)
        found = home.flyball.data.diff("games", first.version)
        (table,) = found.tables
        assert table.rows == Apart(added=0, removed=0)
        assert table.files_compared == 0
        assert all(move.distance == pytest.approx(0, abs=1e-9) for move in table.moved)
        assert "the same 1 file in both" in call("diff", "games", first.version).stdout

    def test_says_which_distributions_moved(self, home, call):
        """Hours in another unit are no chance; the games played are."""
        rng = np.random.default_rng(5)

        def batch(scale: float):
            users = rng.integers(0, 400, 2_000)
            games = rng.integers(0, 30, 2_000)
            hours = rng.lognormal(1, 1, 2_000) * scale
            return plays(*((f"u{u}", f"g{g}", float(h))
                           for u, g, h in zip(users, games, hours, strict=True)))  # fmt: skip

        for day in range(5):
            before = home.add(f"day{day}", batch(1.0))
        home.add("odd", batch(60.0))
        found = home.flyball.data.diff("games", before.version)
        moved = {move.column: move for move in found.tables[0].moved}
        assert set(moved) == {"game", "hours"}
        assert moved["hours"].verdict is Verdict.FAIL
        assert moved["game"].verdict is Verdict.PASS
        assert moved["hours"].distance > moved["game"].distance
        assert "times larger" in call("diff", "games", before.version).stdout.replace("\n", " ")

    def test_a_lost_profile_is_left_out_and_said(self, home, call):
        first = home.add("monday", ONE)
        home.add("tuesday", TWO)
        lost = home.flyball.platform.records.find(DataBatch)[0].sketches
        home.store.remove([lost], kept_before=soon())
        assert home.flyball.data.diff("games", first.version).tables[0].unprofiled == 1
        assert "1 batch without a profile" in call("diff", "games", first.version).stdout

    def test_a_damaged_file_is_not_compared(self, home):
        first = home.add("monday", ONE)
        second = home.add("tuesday", TWO)
        md5 = (set(second.files.values()) - set(first.files.values())).pop()
        for folder in home.store._folders():
            folder.place(md5).chmod(0o644)
            folder.place(md5).write_bytes(b"bad")
        with pytest.raises(ArtifactCorrupt, match=md5):
            home.flyball.data.diff("games", first.version)

    def test_as_json_it_is_one_document(self, home, call):
        first = home.add("monday", ONE)
        home.add("tuesday", TWO)
        told = json.loads(call("diff", "games", first.version, "--json").stdout)
        assert told["tables"][0]["rows"] == {"added": 2, "removed": 0}
