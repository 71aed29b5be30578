"""A PostgreSQL that takes connections and never answers is away, like one that is down.

Its kernel, or a proxy before it, acknowledges every byte: nothing is wrong with the network.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from client_flavours import until
from flyball.errors import StorageUnavailable
from flyball.ports import Change
from flyball.serving.backlog import Backlog
from flyball.serving.journal import Journal, Kept
from flyball.storage.database import open_database, reading, writing
from flyball.storage.patience import ANSWER_S, SILENCE_S
from flyball.storage.postgresql import CONNECT_S, TIMES
from flyball.storage.records import SqlRecords
from flyball.storage.spool import Spool
from flyball.storage.traffic import SqlEvents
from flyball.telemetry.metrics import Metrics
from flyball.testing.builders import a_version
from flyball.testing.events import numbered
from frozen_network import FrozenNetwork, frozen_network

NOTICED_S = SILENCE_S + ANSWER_S + CONNECT_S + 3.0
"""The longest that a hang holds anybody up, and some seconds for a busy machine."""


@pytest.fixture
def network(postgresql_server: sa.URL) -> Iterator[FrozenNetwork]:
    """The way to the server."""
    with frozen_network(f"{postgresql_server.query['host']}/.s.PGSQL.5432") as network:
        yield network


@pytest.fixture
def url(network: FrozenNetwork, new_postgresql: Callable[..., str]) -> str:
    """An empty database behind the network."""
    own = sa.make_url(new_postgresql())
    through = own.set(host="127.0.0.1", port=network.port, query={"sslmode": "disable"})
    return through.render_as_string(hide_password=False)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An open database."""
    engine = open_database(url)
    yield engine
    engine.dispose()


def refused(call: Callable[[], object], said: str) -> float:
    """Seconds until a call was refused, in these words."""
    began = time.monotonic()
    with pytest.raises(StorageUnavailable, match=said):
        call()
    return time.monotonic() - began


class TestAServerThatHangs:
    def test_is_noticed_by_who_comes_and_used_again_when_it_answers(self, network, engine):
        records = SqlRecords(engine)
        records.commit([Change(value=a_version())])
        network.freeze()
        assert refused(lambda: records.find(type(a_version())), "check") < NOTICED_S
        assert refused(lambda: SqlEvents(engine).append(numbered(3)), "check") < NOTICED_S
        network.thaw()
        assert records.find(type(a_version())) == [a_version()]
        assert SqlEvents(engine).append(numbered(3)) == [True] * 3

    def test_is_noticed_in_the_middle_of_a_transaction_which_is_undone(self, network, engine):
        def write() -> None:
            with writing(engine) as connection:
                connection.exec_driver_sql("CREATE TABLE half (a int)")
                network.freeze()
                connection.exec_driver_sql("INSERT INTO half VALUES (1)")

        seconds = refused(write, f"did not answer for {SILENCE_S:g} s.*it hangs, or the network")
        assert SILENCE_S <= seconds < NOTICED_S
        network.thaw()
        with reading(engine) as connection:
            assert not sa.inspect(connection).has_table("half")

    def test_is_noticed_when_it_is_opened(self, network, url):
        network.freeze()
        seconds = refused(lambda: open_database(url), "it did not answer in time")
        assert CONNECT_S - 1 <= seconds < NOTICED_S

    def test_holds_up_many_at_once_no_longer_than_one(self, network, engine):
        with reading(engine) as one, reading(engine) as two:  # so that two are open
            one.exec_driver_sql("SELECT 1")
            two.exec_driver_sql("SELECT 1")
        network.freeze()
        taken: list[float] = []
        records = SqlRecords(engine)
        threads = [
            threading.Thread(
                target=lambda: taken.append(refused(lambda: records.ledger(limit=1), "check"))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 8
        assert max(taken) < NOTICED_S + CONNECT_S


def test_events_are_acknowledged_while_it_hangs_and_stored_when_it_answers(
    network, engine, tmp_path
):
    events, spool = SqlEvents(engine), Spool(tmp_path / "spool")
    backlog = Backlog(spool, events, SqlRecords(engine), Metrics(), lambda *_: None)
    journal = Journal(events, backlog)
    journal.start()

    def kept(name: str) -> tuple[Kept, float]:
        began = time.monotonic()
        found = asyncio.run(journal.append(numbered(10, prefix=name)))
        return found, time.monotonic() - began

    assert kept("before") == (Kept([True] * 10), pytest.approx(0.0, abs=3.0))
    network.freeze()
    first, seconds = kept("first")
    assert (first.waits, seconds < NOTICED_S) == (True, True)
    later, seconds = kept("later")
    assert (later.waits, seconds < 1.0) == (True, True)  # nobody asks it again meanwhile
    network.thaw()
    backlog.start()
    until(lambda: sum(events.count().values()) == 30)
    journal.stop()
    backlog.stop()
    assert spool.waiting == 0


class TestAServerThatIsWell:
    def test_may_take_its_time(self, engine):
        """What takes longer than a hang is noticed in is not ended."""
        began = time.monotonic()
        with reading(engine) as connection:
            found = connection.exec_driver_sql(f"SELECT 7, pg_sleep({SILENCE_S + 1.0})").one()
        assert found[0] == 7
        assert time.monotonic() - began > SILENCE_S

    def test_may_take_its_time_while_it_takes_nobody_else(self, engine, postgresql_server):
        """A server that refuses a second connection is there."""
        database = engine.url.database
        with reading(engine) as connection:
            _on(postgresql_server, f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
            found = connection.exec_driver_sql(f"SELECT 7, pg_sleep({SILENCE_S + 1.0})").one()
        assert found[0] == 7


def test_a_network_that_is_cut_is_noticed_by_the_kernel(engine):
    """Nothing is acknowledged then: the kernel ends the connection after these times."""
    options = {
        "keepalives": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        "keepalives_idle": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        "keepalives_interval": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        "keepalives_count": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
        "tcp_user_timeout": (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
    }
    with reading(engine) as connection:
        driver = connection.connection.driver_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as copy:
            found = {name: copy.getsockopt(*option) for name, option in options.items()}
    assert found == {name: TIMES[name] for name in options}


def test_times_of_the_url_go_before(url):
    engine = open_database(f"{url}&tcp_user_timeout=2000")
    with reading(engine) as connection:
        driver = connection.connection.driver_connection
        assert "tcp_user_timeout=2000" in driver.info.dsn
    engine.dispose()


def _on(server: sa.URL, statement: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
