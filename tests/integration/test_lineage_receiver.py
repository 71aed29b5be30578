"""A receiver of lineage that is away, slow, or of another opinion never holds up the loop."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flyball.domain.told import JobRun, Outcome
from flyball.errors import ConfigurationError
from flyball.storage.lineage import FileLineage
from flyball.storage.lineage_receiver import Receiver
from flyball.testing.builders import NOON

ENOUGH_S = 20.0


@dataclass
class Listener:
    """A receiver of OpenLineage events that answers as it is told.

    Attributes:
        answers: the next status codes; 201 after them.
        hold: while set, no answer is given before ``release``.
    """

    answers: list[int] = field(default_factory=list)
    hold: bool = False
    release: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    got: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def jobs(self) -> list[str]:
        return [event["job"]["name"] for event in self.got]


def serve(listener: Listener) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            listener.asked.set()
            if listener.hold:
                listener.release.wait(ENOUGH_S)
            status = listener.answers.pop(0) if listener.answers else 201
            if status < 300:
                listener.got.append(body)
                listener.paths.append(self.path)
                listener.tokens.append(self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", listener.port), Handler)
    listener.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    return server


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    server = serve(made)
    yield made
    made.release.set()
    server.shutdown()
    server.server_close()


def a_run(name: str) -> JobRun:
    return JobRun(
        model="games", job=f"games.{name}", record=f"record:{name}", outcome=Outcome.COMPLETE,
        at=NOON + timedelta(seconds=1),
    )  # fmt: skip


def told(folder: Path, receiver: Receiver | None, *names: str) -> FileLineage:
    lineage = FileLineage(folder, receiver)
    before = lineage.mark()
    after = replace(before, ledger=before.ledger + 1)
    lineage.tell([a_run(name) for name in names], before=before, after=after)
    return lineage


def receiver(listener: Listener, **options: Any) -> Receiver:
    return Receiver(listener.url, **({"timeout_s": 5.0, "pause_s": 0.0} | options))


class TestAReceiver:
    def test_gets_every_event_in_order_and_each_once(self, tmp_path, listener):
        lineage = told(tmp_path, receiver(listener), "ingest", "train")
        lineage.deliver(within_s=ENOUGH_S)
        told(tmp_path, None, "deploy")
        lineage.deliver(within_s=ENOUGH_S)
        lineage.deliver(within_s=ENOUGH_S)
        assert listener.jobs == ["games.ingest", "games.train", "games.deploy"]
        assert set(listener.paths) == {"/api/v1/lineage"}
        assert listener.tokens == [None] * 3

    def test_may_listen_at_a_path_of_its_own_and_ask_for_a_key(self, tmp_path, listener):
        mine = Receiver(f"{listener.url}/gms/openlineage/api?x=1", api_key="s3cret")
        told(tmp_path, mine, "ingest").deliver(within_s=ENOUGH_S)
        assert listener.paths == ["/gms/openlineage/api?x=1"]
        assert listener.tokens == ["Bearer s3cret"]

    def test_gets_what_another_process_wrote_before(self, tmp_path, listener):
        told(tmp_path, None, "ingest")
        told(tmp_path, None, "train")
        FileLineage(tmp_path, receiver(listener)).deliver(within_s=ENOUGH_S)
        assert listener.jobs == ["games.ingest", "games.train"]

    def test_that_is_new_gets_everything_from_the_beginning(self, tmp_path, listener):
        told(tmp_path, receiver(listener), "ingest").deliver(within_s=ENOUGH_S)
        other = Receiver(f"{listener.url}/other")
        told(tmp_path, other, "train").deliver(within_s=ENOUGH_S)
        assert listener.paths == ["/api/v1/lineage", "/other", "/other"]

    @pytest.mark.parametrize("url", ["localhost:5000", "ftp://host", "http://", "", "file:///x"])
    def test_needs_an_address(self, url):
        with pytest.raises(ConfigurationError, match=r"http://localhost:5000"):
            Receiver(url)


class TestAReceiverThatIsAway:
    def test_gets_what_it_missed_once_it_is_back(self, tmp_path, listener):
        port = listener.port
        away = Receiver("http://127.0.0.1:1", pause_s=0.0)
        lineage = told(tmp_path, away, "ingest")
        lineage.deliver(within_s=ENOUGH_S)
        told(tmp_path, None, "train")
        assert listener.got == []
        back = Receiver(f"http://127.0.0.1:{port}", pause_s=0.0)
        FileLineage(tmp_path, back).deliver(within_s=ENOUGH_S)
        assert listener.jobs == ["games.ingest", "games.train"]

    def test_is_complained_of_once_without_its_password(self, tmp_path, caplog):
        away = Receiver("http://ada:s3cret@127.0.0.1:1", pause_s=0.0)
        lineage = told(tmp_path, away, "ingest")
        with caplog.at_level(logging.WARNING, logger="flyball.lineage"):
            lineage.deliver(within_s=ENOUGH_S)
            lineage.deliver(within_s=ENOUGH_S)
        [said] = [
            record.getMessage() for record in caplog.records if record.name == "flyball.lineage"
        ]
        assert "http://127.0.0.1:1" in said
        assert "s3cret" not in said

    def test_is_left_alone_for_a_while(self, tmp_path, listener):
        listener.answers = [503] * 9
        lineage = told(tmp_path, receiver(listener, pause_s=3600.0), "ingest")
        lineage.deliver(within_s=ENOUGH_S)
        listener.answers = []
        lineage.deliver(within_s=ENOUGH_S)
        assert listener.got == []

    def test_for_a_moment_is_asked_again(self, tmp_path, listener):
        listener.answers = [503, 502]
        told(tmp_path, receiver(listener), "ingest").deliver(within_s=ENOUGH_S)
        assert listener.jobs == ["games.ingest"]


class TestAReceiverThatIsSlow:
    def test_holds_nobody_up(self, tmp_path, listener):
        listener.hold = True
        lineage = told(tmp_path, receiver(listener), "ingest")
        began = time.monotonic()
        lineage.deliver(within_s=0.0)
        lineage.deliver(within_s=0.05)
        assert time.monotonic() - began < 2.0
        assert listener.asked.wait(ENOUGH_S)
        listener.release.set()
        lineage.deliver(within_s=ENOUGH_S)
        assert listener.jobs == ["games.ingest"]

    def test_beyond_the_limit_counts_as_away_and_loses_nothing(self, tmp_path, listener):
        listener.hold = True
        lineage = told(tmp_path, receiver(listener, timeout_s=0.1), "ingest")
        lineage.deliver(within_s=ENOUGH_S)
        listener.hold = False
        listener.release.set()
        lineage.deliver(within_s=ENOUGH_S)
        assert "games.ingest" in listener.jobs


class TestAReceiverThatRefuses:
    def test_one_event_gets_the_next_ones(self, tmp_path, listener, caplog):
        listener.answers = [422]
        with caplog.at_level(logging.WARNING, logger="flyball.lineage"):
            told(tmp_path, receiver(listener), "ingest", "train").deliver(within_s=ENOUGH_S)
        assert listener.jobs == ["games.train"]
        assert a_run("ingest").run_id in caplog.text

    @pytest.mark.parametrize("status", [401, 403, 404, 429])
    def test_the_sender_keeps_what_it_did_not_take(self, tmp_path, listener, status):
        listener.answers = [status]
        lineage = told(tmp_path, receiver(listener), "ingest", "train")
        lineage.deliver(within_s=ENOUGH_S)
        assert listener.jobs == []
        lineage.deliver(within_s=ENOUGH_S)
        assert listener.jobs == ["games.ingest", "games.train"]
