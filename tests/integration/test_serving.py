"""A real server process over HTTP: its probes, errors, events, metrics, and its end."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from toy import COMMAND, MODEL, ToyHome, until

from flyball.domain.routing import Slot, SlotPhase
from flyball.domain.traffic import EventType
from flyball.errors import DeploymentError
from flyball.targets.local import LocalTarget
from warm_start import Forked, server

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> ToyHome:
    return ToyHome(tmp_path / "home")


@contextmanager
def a_server(home: ToyHome) -> Iterator[tuple[httpx.Client, Forked]]:
    with (
        server("toy", "--home", home.home, "--port", "0") as (process, url),
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield client, process


def purchase(number: int, **fields: str) -> dict[str, str]:
    event = {"event_id": f"e{number}", "type": "purchase", "user_id": "u", "item_id": f"i{number}"}
    return event | fields


class TestAWorker:
    """From nothing deployed to an orderly end."""

    def test_is_live_but_not_ready_before_anything_is_deployed(self, home):
        with a_server(home) as (client, _):
            assert client.get("/health/live").status_code == 200
            refused = client.get("/health/ready")
            assert refused.status_code == 503
            assert "flyball run" in refused.json()["detail"]
            assert client.get("/v1/answer").status_code == 503
            home.serve(home.publish("first"))
            until(lambda: client.get("/health/ready").status_code == 200)
            assert client.get("/v1/answer").json()["answer"] == "first"

    def test_ends_with_zero_and_leaves_windows_but_no_status(self, home):
        home.serve(home.publish("first"))
        with a_server(home) as (client, process):
            until(lambda: client.get("/health/ready").status_code == 200)
            for _ in range(7):
                assert client.get("/v1/answer").status_code == 200
            assert [s.worker.endswith(f":{process.pid}") for s in home.statuses()] == [True]
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        windows = home.platform.events.windows(MODEL, since=LONG_AGO)
        assert sum(window.requests for window in windows) == 7
        assert home.statuses() == []

    def test_answers_requests_in_flight_before_it_ends(self, home):
        home.serve(home.publish("first"))
        statuses: list[int] = []
        with a_server(home) as (client, process):
            until(lambda: client.get("/health/ready").status_code == 200)

            def ask() -> None:
                url = f"{client.base_url}/v1/answer"
                statuses.append(httpx.get(url, params={"seconds": 3.0}, timeout=20).status_code)

            threads = [threading.Thread(target=ask) for _ in range(5)]
            for thread in threads:
                thread.start()
            until(lambda: client.get("/v1/waiting").json() == 5)
            process.send_signal(signal.SIGTERM)
            for thread in threads:
                thread.join()
            assert process.wait(20) == 0
        assert statuses == [200] * 5

    def test_goes_on_serving_while_the_database_fails_and_recovers(self, home):
        version = home.publish("first")
        home.serve(version)
        with a_server(home) as (client, _):
            until(lambda: client.get("/health/ready").status_code == 200)
            rename_table(home, "flyball_routes", "hidden")
            until(lambda: client.get("/health").json()["status"] == "degraded")
            assert client.get("/v1/answer").json()["answer"] == "first"
            assert client.get("/health/ready").status_code == 200
            rename_table(home, "hidden", "flyball_routes")
            until(lambda: client.get("/health").json()["status"] == "ok")
            home.serve(home.publish("second"))
            until(lambda: client.get("/v1/answer").json()["answer"] == "second")

    def test_ends_with_three_when_one_of_its_threads_dies(self, home):
        with a_server(home) as (client, process):
            client.post("/v1/kill-a-thread")
            assert process.wait(20) == 3
        assert home.statuses() == []


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[tuple[ToyHome, httpx.Client, Forked]]:
    home = ToyHome(tmp_path_factory.mktemp("running") / "home")
    home.serve(home.publish("first"))
    with a_server(home) as (client, process):
        until(lambda: client.get("/health/ready").status_code == 200)
        yield home, client, process


class TestARunningWorker:
    """One server for all of these: none of them changes what it does."""

    def test_says_all_about_itself(self, shared):
        home, client, process = shared
        health = client.get("/health").json()
        assert health["status"] == "ok"
        assert health["worker"].endswith(f":{process.pid}")
        assert health["models"][MODEL]["serving"] == home.route().champion
        assert health["models"][MODEL]["slots"]["green"]["phase"] == "ready"
        assert health["dependencies"]["database"]["ok"] is True
        assert health["uptime_s"] > 0

    def test_keeps_events_that_the_database_does_not_take(self, shared):
        home, client, _ = shared
        rename_table(home, "flyball_events", "hidden")
        accepted = client.post("/v1/events", json=[purchase(1)])
        assert client.get("/health").json()["spool"] == {"waiting": 1}
        rename_table(home, "hidden", "flyball_events")
        assert accepted.json()["new"] == [True]
        until(lambda: home.platform.events.count(MODEL) == {EventType.PURCHASE: 1})
        again = client.post("/v1/events", json=[purchase(1)])
        assert again.json()["new"] == [False]

    def test_is_not_answered_for_under_a_foreign_name(self, shared):
        """As a page of anybody would ask whose name points at this machine."""
        _, client, _ = shared
        answer = client.get("/v1/answer", headers={"host": "evil.example"})
        assert answer.status_code == 421

    def test_keeps_its_port(self, shared):
        home, client, _ = shared
        port = str(client.base_url.port)
        argv = [*COMMAND, "--home", str(home.home), "--port", port]
        second = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 3
        assert f"cannot listen on port {port} of 127.0.0.1: Address already in use" in second.stderr
        assert "Traceback" not in second.stderr


def rename_table(home: ToyHome, name: str, to: str) -> None:
    """What a broken migration or a lost table looks like to a worker."""
    with closing(sqlite3.connect(home.home / "flyball.sqlite", timeout=10)) as database:
        database.execute(f"ALTER TABLE {name} RENAME TO {to}")
        database.commit()


class TestEvents:
    """Acknowledged means on disk, once."""

    def test_are_stored_once_and_shown_at_once(self, home):
        home.serve(home.publish("first"))
        with a_server(home) as (client, process):
            first = client.post("/v1/events", json=[purchase(1), purchase(2)])
            again = client.post("/v1/events", json=[purchase(2), purchase(3)])
            process.kill()  # whatever was acknowledged must be there already
            process.wait()
        assert first.json()["new"] == [True, True]
        assert again.json()["new"] == [False, True]
        assert home.platform.events.count(MODEL) == {EventType.PURCHASE: 3}

    def test_of_the_past_are_known_to_a_new_worker(self, home):
        with a_server(home) as (client, _):
            client.post("/v1/events", json=[purchase(1), purchase(2, type="dislike")])
            assert client.get("/v1/users/u").json() == {"purchase": ["i1"], "dislike": ["i2"]}
        with a_server(home) as (client, _):
            known = {"purchase": ["i1"], "dislike": ["i2"]}
            until(lambda: client.get("/v1/users/u").json() == known)

    def test_are_joined_to_the_version_that_led_to_them(self, home):
        version = home.publish("first")
        home.serve(version)
        with a_server(home) as (client, process):
            until(lambda: client.get("/health/ready").status_code == 200)
            answer = client.get("/v1/answer").json()
            sent = purchase(1, recommendation_id=answer["recommendation_id"])
            client.post("/v1/events", json=[sent])
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        windows = home.platform.events.windows(MODEL, since=LONG_AGO)
        assert [w.feedback for w in windows if w.feedback] == [{"purchase": 1}]
        assert {w.version for w in windows} == {version.name}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a server where nothing is deployed."""
    with a_server(ToyHome(tmp_path_factory.mktemp("errors") / "home")) as (client, _):
        yield client


class TestErrors:
    """One shape for all of them (RFC 9457)."""

    @pytest.mark.parametrize(
        ("method", "path", "status", "kind"),
        [
            ("GET", "/nope", 404, "not-found"),
            ("POST", "/v1/answer", 405, "method-not-allowed"),
            ("GET", "/v1/answer?seconds=x", 422, "invalid-request"),
            ("GET", "/v1/boom", 500, "unexpected"),
            ("GET", "/v1/full", 507, "storage-unavailable"),
        ],
    )
    def test_are_problem_documents(self, client, method, path, status, kind):
        answer = client.request(method, path)
        body = answer.json()
        assert answer.status_code == body["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert body["type"] == f"urn:flyball:problem:{kind}"
        assert {"title", "detail", "instance"} <= set(body)
        assert "secret inner detail" not in answer.text

    def test_are_declared_in_openapi(self, client):
        described = client.get("/openapi.json").json()
        assert described["openapi"].startswith("3.1")
        for path, operations in described["paths"].items():
            for operation in operations.values():
                default = operation["responses"]["default"]["$ref"].rpartition("/")[2]
                content = described["components"]["responses"][default]["content"]
                assert list(content) == ["application/problem+json"], path


def test_metrics_of_any_worker_show_all_workers(home):
    """Also counts of a worker that has ended; gauges only of those that live."""
    version = home.publish("first")
    home.serve(version)
    with a_server(home) as (one, process), a_server(home) as (two, _):
        for client in (one, two):
            until(lambda client=client: client.get("/health/ready").status_code == 200)
            for _ in range(3):
                client.get("/v1/answer")
        labels = f'endpoint="answer",model="toy",model_version="{version.name}"'
        count = f'model_inference_requests_total{{{labels},status="200"}} 6.0'
        ready = f'flyball_version_ready_workers{{model="toy",model_version="{version.name}"}}'
        assert count in two.get("/metrics").text
        assert f"{ready} 2.0" in two.get("/metrics").text
        process.kill()
        process.wait()
        after = two.get("/metrics").text
    assert count in after
    assert f"{ready} 1.0" in after
    assert 'model_inference_duration_seconds_bucket{endpoint="answer",le="0.001"' in after
    assert "prediction_latency_seconds_count 6.0" in after


class TestACandidate:
    """One version, served apart, that leaves no trace."""

    @pytest.fixture
    def target(self, home: ToyHome) -> LocalTarget:
        return LocalTarget(home.home, home.records, home.platform.clock, command=COMMAND)

    def test_serves_its_version_and_ends_with_the_context(self, home, target):
        version = home.publish("candidate")
        with target.candidate(version) as url:
            assert httpx.get(f"{url}/v1/answer").json()["model_version"] == version.name
            assert httpx.get(f"{url}/health/ready").status_code == 200
            refused = httpx.post(f"{url}/v1/events", json=[purchase(1)])
            assert target.workers() == []
        assert refused.status_code == 503
        assert "a candidate under test accepts no events" in refused.json()["detail"]
        assert home.platform.events.count() == {}
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health/live")

    def test_that_fails_its_smoke_test_never_becomes_ready(self, home, target):
        version = home.publish("wrong")
        with pytest.raises(DeploymentError, match="smoke test got a wrong answer"):
            target.candidate(version).__enter__()

    def test_with_a_damaged_artifact_never_becomes_ready(self, home, target):
        version = home.publish("good")
        home.corrupt(version)
        with pytest.raises(DeploymentError, match=r"constant\.json"):
            target.candidate(version).__enter__()

    def test_that_says_nothing_in_time_is_stopped(self, home, tmp_path):
        silent = tmp_path / "silent.sh"
        silent.write_text(f"echo $$ > {tmp_path}/pid; exec sleep 600\n")
        target = LocalTarget(
            home.home,
            home.records,
            home.platform.clock,
            command=("/bin/sh", str(silent)),
            deadline_s=0.5,
        )
        with pytest.raises(DeploymentError, match=r"not ready within 0\.5 s"):
            target.candidate(home.publish("x")).__enter__()
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)

    def test_a_temporary_worker_follows_the_routes_while_none_else_does(self, home, target):
        version = home.publish("first")
        home.load(version)
        with target.at_least_one_worker():
            (worker,) = target.workers()
            until(lambda: ready_slot(target) is SlotPhase.READY)
            with target.at_least_one_worker():
                assert [w.worker for w in target.workers()] == [worker.worker]
        assert target.workers() == []


def ready_slot(target: LocalTarget) -> SlotPhase | None:
    (worker,) = target.workers()
    status = worker.slot(MODEL, Slot.GREEN)
    return status and status.phase
