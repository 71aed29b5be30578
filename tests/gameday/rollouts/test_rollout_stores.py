"""The database, the disk and the artifact during a rollout: away for a while, or spoilt."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, contextmanager, suppress

import pytest
import sqlalchemy as sa
from rollout_open import opened
from rollout_players import Players, all_is_well
from rollout_shop import MODEL, SETTINGS, Shop, until
from rollout_up import command, environment, up
from troubled_models import Trouble

from flyball.domain.deployment import Phase
from flyball.domain.lifecycle import State
from flyball.errors import DeploymentError
from frozen_network import frozen_network

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

AWAY_S = 8.0


@contextmanager
def locked(home):
    """Somebody else writes to the database, and does not come to an end."""
    with closing(sqlite3.connect(home / "flyball.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA busy_timeout = 30000")
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


@contextmanager
def filled(disk):
    """All space is taken."""
    path = disk / "filler"
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    try:
        yield
    finally:
        path.unlink()


def rolled(found, fault, outcome, words, *, trouble=Trouble.NONE):
    """A rollout with a fault in its first step; it goes on once the fault is over."""
    shop, players = found.shop, found.players
    began, good = time.monotonic(), shop.champion()
    shop.until(shop.staffed, "two workers and a control process")
    version = shop.publish(trouble, after=60)
    shop.verbs.hand_over(MODEL, version.name)
    shop.until(lambda: shop.deployments(version), "its deployment")
    shop.at_step(version, 1)
    with fault():
        struck = time.monotonic()
        threading.Event().wait(AWAY_S)  # the fault lasts so long
        meanwhile = players.statuses(struck)
    ended = shop.ended(version)
    bad = trouble is not Trouble.NONE
    assert ended.phase is (Phase.ROLLED_BACK if bad else Phase.DONE), ended
    seen = all_is_well(shop, players, good if bad else version.name, since=began)
    assert seen["failed"] == 0, players.statuses(began)
    assert meanwhile[200] > AWAY_S
    became = "withdrawn" if bad else "the good version took over"
    outcome(f"{words} for {AWAY_S:g} s", became, seen)


@pytest.mark.parametrize(
    "trouble", [pytest.param(Trouble.NONE, marks=pytest.mark.long), Trouble.RAISES]
)
def test_a_database_that_is_locked_delays_a_rollout_and_its_end(games, trouble, outcome):
    words = "the database is locked" + (", and the candidate fails" if trouble != "none" else "")
    rolled(games, lambda: locked(games.shop.home), outcome, words, trouble=trouble)


@pytest.mark.long
def test_a_disk_that_is_full_delays_a_rollout(tmp_path, small_disk, plugins, outcome):
    disk = small_disk("size=512m")
    with opened(disk, plugins) as found:
        rolled(found, lambda: filled(disk), outcome, "the disk is full")


@pytest.mark.long
def test_a_database_that_is_gone_and_back_delays_a_rollout(
    tmp_path, postgresql_server, new_postgresql, plugins, outcome
):
    """A PostgreSQL that nobody reaches for a while."""
    with frozen_network(f"{postgresql_server.query['host']}/.s.PGSQL.5432") as network:
        own = sa.make_url(new_postgresql())
        through = own.set(host="127.0.0.1", port=network.port, query={"sslmode": "disable"})
        url = through.render_as_string(hide_password=False)

        @contextmanager
        def gone():
            network.freeze()
            try:
                yield
            finally:
                network.thaw()

        settings = f"database = {json.dumps(url)}\n{SETTINGS}"
        with opened(tmp_path, plugins, settings=settings) as found:
            rolled(found, gone, outcome, "the database (PostgreSQL) is gone")


@contextmanager
def read_only(folder):
    """Whoever opens a file there from now on cannot write to it."""
    for words in (["--bind", folder, folder], ["-o", "remount,bind,ro", folder]):
        done = subprocess.run(["mount", *map(str, words)], check=False, capture_output=True)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.long
def test_a_home_that_comes_back_read_only_is_refused_and_the_rollout_goes_on_later(
    tmp_path, plugins, outcome
):
    """Everything was killed in a step of the rollout, as by a power cut."""
    shop = Shop(tmp_path / "home")
    first, version = shop.publish(), shop.publish()
    with up(shop, plugins) as running, Players(running.api).playing():
        shop.until(lambda: shop.verbs.deploy(MODEL, first.name), "its deployment")
        assert shop.ended(first).phase is Phase.DONE
        shop.verbs.deploy(MODEL, version.name)
        shop.at_step(version, 1)
        shop.verbs.hold(MODEL, version.name, reason="here the power is cut")
    with read_only(shop.home):
        argv, env = command(shop), environment(plugins)
        refused = subprocess.run(argv, check=False, env=env, capture_output=True)
    assert (refused.returncode, b"Traceback" in refused.stderr) == (3, False), refused.stderr
    began = time.monotonic()
    with up(shop, plugins) as running, Players(running.api).playing() as players:
        assert shop.deployment(version).share == 0.3
        shop.verbs.resume(MODEL, version.name, reason="the power is back")
        assert shop.ended(version).phase is Phase.DONE
        seen = all_is_well(shop, players, version.name, since=began)
    shop.verbs.close()
    outcome("all is killed, and the home comes back read-only", "the good version took over", seen)


class TestASpoiltArtifact:
    """Each worker checks every byte before it loads a version."""

    def spoil(self, shop, version):
        path = next(shop.artifact(version).rglob("weights*.npy"))
        content = bytearray(path.read_bytes())
        content[-1] ^= 0xFF
        path.parent.chmod(0o755)
        path.chmod(0o644)
        path.write_bytes(content)

    def test_never_gets_any_traffic(self, games, outcome):
        began, good, version = time.monotonic(), games.shop.champion(), games.shop.publish()
        self.spoil(games.shop, version)
        games.shop.until(games.shop.staffed, "two workers and a control process")
        with pytest.raises(DeploymentError, match="weights"):
            games.shop.verbs.deploy(MODEL, version.name)
        assert games.shop.ended(version).phase is Phase.FAILED
        assert games.shop.state(version) is State.DEVELOPMENT
        seen = all_is_well(games.shop, games.players, good, since=began)
        assert seen["failed"] == 0
        assert version.name not in {a.version for a in games.players.since(began)}
        outcome("the candidate's artifact is spoilt before it is loaded", "not deployed", seen)

    @pytest.mark.long
    def test_that_no_fresh_worker_can_load_ends_the_rollout(self, games, outcome):
        """Spoilt while it serves: found by the next worker that has to load it."""
        began, good, version = time.monotonic(), games.shop.champion(), games.shop.publish()
        games.shop.until(games.shop.staffed, "two workers and a control process")
        games.shop.verbs.hand_over(MODEL, version.name)
        games.shop.until(lambda: games.shop.deployments(version), "its deployment")
        games.shop.at_step(version, 1)
        games.shop.verbs.hold(MODEL, version.name, reason="we want to spoil it")
        self.spoil(games.shop, version)
        games.up.kill_worker()
        ended = games.shop.ended(version)
        assert ended.phase is Phase.ROLLED_BACK, ended
        assert "weights" in ended.detail
        seen = all_is_well(games.shop, games.players, good, since=began)
        until(lambda: games.shop.state(version) is State.STAGING)
        outcome("the candidate's artifact is spoilt while it serves", "withdrawn", seen)
