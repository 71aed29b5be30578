"""Several people at one dataset: at once, through one process or many, nobody's rows are lost."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import ExitStack

import pytest
from data_home import interactions, is_whole, newest, shelf, write_rows
from gameday_home import MODEL
from gameday_processes import control, flyball, started, until

ROWS = 60_000
PLAYER = "player-17"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Three files of different rows."""
    folder = tmp_path_factory.mktemp("contested")
    return [write_rows(folder / f"{seed}.csv", ROWS, seed=seed) for seed in (31, 32, 33)]


@pytest.fixture
def home(tmp_path, sources):
    """A home that holds the first of them."""
    home = tmp_path / "home"
    done = flyball("ingest", MODEL, sources[0], home=home)
    assert done.code == 0, done.err
    return home


class TestOneControlProcess:
    """It is handed everything at once, and does it one after the other."""

    def test_makes_a_batch_of_each_file_and_of_the_same_file_one(self, sources, tmp_path):
        """Three different files, one of them asked for thrice: twice alike, once by another id."""
        home = tmp_path / "home"
        asked = [(path,) for path in sources]
        asked += [(sources[0],), (sources[0], "--batch-id", "again")]
        with control(home) as process, ExitStack() as stack:
            commands = [
                stack.enter_context(started("ingest", MODEL, *more, "--json", home=home))
                for more in asked
            ]
            ended = [command.ended() for command in commands]
            process.process.send_signal(signal.SIGTERM)
            assert process.ended().code == 0
        assert [one.code for one in ended] == [0] * len(asked), ended
        said = [one.json()[0]["batch"] for one in ended]
        assert len({batch["batch_id"] for batch in said}) == 3
        assert said[0]["batch_id"] == said[3]["batch_id"] == said[4]["batch_id"]
        self._holds_all(home, sources)

    def test_forgets_a_player_while_their_rows_come_in(self, sources, tmp_path):
        """However the two fall, none of the player's rows is left."""
        home = tmp_path / "home"
        with control(home) as process, ExitStack() as stack:
            commands = [
                stack.enter_context(started("ingest", MODEL, path, home=home)) for path in sources
            ]
            forget = flyball("data", "forget", MODEL, PLAYER, "--json", home=home)
            assert forget.code == 0, forget.err
            assert [command.ended().code for command in commands] == [0, 0, 0]
            process.process.send_signal(signal.SIGTERM)
            assert process.ended().code == 0
        assert forget.json()["pseudonym"] not in set(interactions(home)["user_id"])
        is_whole(home)

    def _holds_all(self, home, sources):
        seen = shelf(home)
        assert len(seen["batches"]) == 3
        assert [entry[0] for entry in seen["ledger"]] == ["ingest"] * 3
        assert (
            newest(home).rows == len(interactions(home)) == sum(one[3] for one in seen["batches"])
        )
        is_whole(home)


class TestCommandsOnTheirOwn:
    """Without a control process one command at a time holds the home; the others are told."""

    def test_either_come_in_or_say_who_holds_the_home(self, sources, tmp_path):
        home = tmp_path / "home"
        with ExitStack() as stack:
            commands = [
                stack.enter_context(started("ingest", MODEL, path, "--json", home=home))
                for path in (*sources, sources[0])
            ]
            ended = [command.ended() for command in commands]
        codes = Counter(one.code for one in ended)
        assert set(codes) <= {0, 3}, ended
        assert codes[0] >= 1
        for one in ended:
            if one.code:
                one.refused(3, "held by", "flyball ingest", "--home")
        done = {b[0] for b in shelf(home)["batches"]}
        told = {one.json()[0]["batch"]["batch_id"] for one in ended if one.code == 0}
        assert told <= done  # what was called done is there
        for path in sources:
            again = flyball("ingest", MODEL, path, home=home)
            assert again.code == 0, again.err
        assert len(shelf(home)["batches"]) == 3
        is_whole(home)


class TestACommandThatDoesNotHoldTheHome:
    """Forgetting and comparing wait for nobody; an ingest that begins leaves them alone."""

    @pytest.mark.parametrize("name", ["forget", "diff"])
    def test_is_not_disturbed_by_an_ingest_that_begins(self, name, home, sources):
        empty_before = shelf(home)["newest"][0]
        assert flyball("ingest", MODEL, sources[1], home=home).code == 0
        command, at_work = {
            "forget": (("data", "forget", MODEL, PLAYER), "**/erase-*/*"),
            "diff": (("data", "diff", MODEL, empty_before), "**/diff-*/*"),
        }[name]
        with started(*command, "--json", home=home) as slow:
            halted = until(
                lambda: any((home / "scratch").glob(at_work)) or not slow.running, every=0.001
            )
            assert halted
            assert slow.running, slow.ended()
            os.killpg(slow.process.pid, signal.SIGSTOP)
            assert any((home / "scratch").glob(at_work)), "it was past that moment"
            try:
                beside = flyball("ingest", MODEL, sources[2], home=home)
            finally:
                os.killpg(slow.process.pid, signal.SIGCONT)
            ended = slow.ended()
        assert beside.code == 0, beside.err
        assert ended.code == 0, ended.err
        assert len(shelf(home)["batches"]) == 3
        is_whole(home)
