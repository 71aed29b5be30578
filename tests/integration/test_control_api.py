"""The control API over a real home: real records, artifacts and verbs, as a client sees them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import console_home as homes
from console_home import NEW, OLD, TRIED
from flyball.access.audit import Note
from flyball.console.api import create_app
from flyball.domain.deployment import WAITS, Deployment, Phase
from flyball.domain.lifecycle import ModelVersion, State
from flyball.domain.routing import Route
from flyball.verbs import Flyball

URL = "http://127.0.0.1:8080"


@pytest.fixture
def installed(tmp_path: Path) -> Flyball:
    found = homes.flyball(tmp_path / "home")
    homes.furnish(found)
    return found


@pytest.fixture
def api(installed: Flyball) -> Iterator[TestClient]:
    with TestClient(create_app(installed), base_url=URL) as client:
        yield client


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem document of a refused request."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert set(body) >= {"type", "title", "status", "detail", "instance"}
    return body


class TestWhatIs:
    """Reading: the same values as the verbs return in Python."""

    def test_the_models_with_their_champions(self, api: TestClient) -> None:
        games, other = api.get("/api/models").json()
        assert games["model"] == "games"
        assert games["champion"]["name"] == NEW.name
        assert games["route"]["slots"] == {"blue": OLD.name, "green": NEW.name}
        assert games["deployment"]["phase"] == "baking"
        assert games["versions"] == 2
        assert other["champion"] is None

    def test_one_model(self, api: TestClient) -> None:
        answer = api.get("/api/models/games").json()
        assert answer["dataset"]["rows"] == 10
        assert answer["report"]["decision"] == "promote"

    def test_its_versions_the_oldest_first(self, api: TestClient) -> None:
        answer = api.get("/api/models/games/versions").json()
        assert [version["name"] for version in answer] == [OLD.name, NEW.name]

    @pytest.mark.parametrize("version", [NEW.name, "1.1.0"])
    def test_everything_about_a_version(self, api: TestClient, version: str) -> None:
        answer = api.get(f"/api/models/games/versions/{version}").json()
        assert answer["version"]["state"] == "monitoring"
        assert answer["run"]["run_id"] == NEW.run_id
        assert [report["decision"] for report in answer["reports"]] == ["promote"]
        assert [deployment["ordinal"] for deployment in answer["deployments"]] == [2]

    def test_its_history_is_the_ledgers(self, api: TestClient) -> None:
        answer = api.get("/api/models/games/versions/1.0.0").json()
        assert [row["entry"]["after"] for row in answer["history"]] == ["staging"]

    def test_deployments_of_one_model_or_all(self, api: TestClient) -> None:
        both = api.get("/api/deployments").json()
        assert [deployment["ordinal"] for deployment in both] == [1, 2]
        assert api.get("/api/deployments?model=games").json() == both
        assert api.get("/api/deployments?model=other").json() == []

    def test_the_end_of_the_ledger(self, api: TestClient) -> None:
        rows = api.get("/api/ledger?limit=2").json()
        assert [row["seq"] for row in rows] == [2, 3]
        assert rows[1]["entry"]["after"] == NEW.name
        assert len(api.get("/api/ledger?model=games").json()) == 3
        assert api.get("/api/ledger?model=other").json() == []

    def test_the_ledger_verifies(self, api: TestClient) -> None:
        assert api.get("/api/ledger/verify").json() == {"rows": 3}

    def test_a_changed_ledger_does_not(self, api: TestClient, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "home" / "flyball.sqlite") as database:
            database.execute("UPDATE flyball_ledger SET body = replace(body, 'tested', 'proven')")
        database.close()
        body = problem(api.get("/api/ledger/verify"), 500)
        assert body["type"] == "urn:flyball:problem:ledger-broken"
        assert "row 2" in body["detail"]

    def test_health(self, api: TestClient) -> None:
        assert api.get("/health/live").json() == {"status": "live"}
        assert api.get("/health/ready").json() == {"status": "ready"}


class TestLiveTraffic:
    """Windows of all workers, merged by version into sixty points."""

    def test_adds_up_by_version(self, api: TestClient, installed: Flyball) -> None:
        installed.platform.events.add_windows(homes.windows(seconds=30, errors=1))
        installed.platform.events.add_windows(homes.windows(version=OLD.name, seconds=5))
        answer = api.get("/api/traffic/games?minutes=5").json()
        found = {version["version"]: version for version in answer["versions"]}
        assert found[NEW.name]["total"]["requests"] == 300
        assert found[NEW.name]["total"]["errors"] == 30
        assert found[NEW.name]["total"]["p50_ms"] == pytest.approx(4.0, rel=0.05)
        assert found[NEW.name]["total"]["feedback"] == {"click": 30}
        assert found[OLD.name]["total"]["requests"] == 50
        for version in found.values():
            assert len(version["points"]) == 60
            total = sum(point["requests"] for point in version["points"])
            assert total == version["total"]["requests"]

    def test_forgets_what_is_older(self, api: TestClient, installed: Flyball) -> None:
        installed.platform.events.add_windows(homes.windows(seconds=130))
        answer = api.get("/api/traffic/games?minutes=1").json()
        assert 0 < answer["versions"][0]["total"]["requests"] <= 600

    def test_is_empty_where_nothing_was_asked(self, api: TestClient) -> None:
        assert api.get("/api/traffic/other").json()["versions"] == []


class TestReports:
    """The stored page, served so that nothing in it can act."""

    def test_is_the_stored_page(self, api: TestClient) -> None:
        answer = api.get("/api/models/games/versions/1.1.0/report")
        assert answer.status_code == 200
        assert "<h1>Promoted</h1>" in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        assert "script-src" not in policy

    def test_a_version_without_one_says_how_to_make_it(self, api: TestClient) -> None:
        body = problem(api.get("/api/models/games/versions/1.0.0/report"), 404)
        assert f"flyball validate games {OLD.name}" in body["detail"]

    def test_a_changed_page_is_not_shown(self, api: TestClient, installed: Flyball) -> None:
        report = installed.show("games", "1.1.0").reports[-1]
        path = installed.platform.blobs.get(report.artifact) / "report.html"
        path.chmod(0o644)
        path.write_text("<h1>Changed</h1>")
        body = problem(api.get("/api/models/games/versions/1.1.0/report"), 500)
        assert body["type"] == "urn:flyball:problem:artifact-corrupt"


class TestRollback:
    """The version before comes back."""

    def test_puts_the_version_before_back(self, api: TestClient, installed: Flyball) -> None:
        answer = api.post("/api/models/games/rollback", json={"reason": "players complain"})
        assert answer.status_code == 200
        assert answer.json() | {"seconds": None} == {
            "model": "games",
            "withdrawn": NEW.name,
            "serving": OLD.name,
            "reason": "players complain",
            "seconds": None,
            "confirmed": 0,
            "contradicted": [],
        }
        records = installed.platform.records
        assert records.get(Route, "games").champion == OLD.name
        assert records.get(ModelVersion, NEW.id).state is State.ROLLBACK
        last = installed.ledger("games", limit=1)[0].entry
        assert (last.actor, last.reason) == ("operator:ada", "rollback: players complain")

    def test_is_refused_where_nothing_can_come_back(self, api: TestClient) -> None:
        api.post("/api/models/games/rollback", json={"reason": "once"})
        body = problem(api.post("/api/models/games/rollback", json={"reason": "twice"}), 409)
        assert body["type"] == "urn:flyball:problem:deployment-error"

    @pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"why": "x"}, []])
    def test_needs_a_reason(self, api: TestClient, installed: Flyball, body: Any) -> None:
        answer = problem(api.post("/api/models/games/rollback", json=body), 422)
        assert answer["errors"]
        assert installed.platform.records.get(Route, "games").champion == NEW.name


class Notes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.all: list[Note] = []

    def note(self, note: Note) -> None:
        self.all.append(note)


class TestARollout:
    """How it stands, and what an operator decides about it."""

    def test_stands_with_its_step_and_evidence(self, api: TestClient, installed: Flyball) -> None:
        homes.roll(installed)
        rollout = api.get("/api/models/games").json()["rollout"]
        assert (rollout["step"], rollout["share"]) == (2, 0.25)
        assert rollout["orders"] == ["hold", "promote", "abort"]
        parts = rollout["standing"]["judgement"]["parts"]
        assert [(part["what"], part["verdict"]) for part in parts] == [
            ("errors", "pass"),
            ("latency", "inconclusive"),
        ]
        assert rollout["standing"]["seen"]["requests"] == 412

    def test_that_is_not_under_way_is_null(self, api: TestClient) -> None:
        assert api.get("/api/models/games").json()["rollout"] is None

    @pytest.mark.parametrize(
        ("order", "held", "phase"),
        [
            ("hold", "", Phase.ROLLING),
            ("resume", "sale at noon", Phase.ROLLING),
            ("approve", WAITS, Phase.ROLLING),
            ("promote", "", Phase.SWITCHING),
            ("abort", "", Phase.ROLLED_BACK),
        ],
    )
    def test_is_decided_about(
        self, api: TestClient, installed: Flyball, order: str, held: str, phase: Phase
    ) -> None:
        homes.roll(installed, held=held)
        asked = {"version": "1.2.0", "reason": " looked at it "}
        answer = api.post(f"/api/models/games/{order}", json=asked)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["order"], body["by"], body["reason"]) == (
            order,
            "operator:ada",
            "looked at it",
        )
        assert body["version"]["name"] == TRIED.name
        assert installed.platform.records.get(Deployment, "games/3").phase is phase
        assert "looked at it" in [row.entry.reason for row in installed.ledger("games", limit=3)]

    def test_a_version_is_archived(self, api: TestClient, installed: Flyball) -> None:
        asked = {"version": OLD.name, "reason": "holds erased data"}
        body = api.post("/api/models/games/archive", json=asked).json()
        assert (body["version"]["state"], body["deployment"]) == ("archived", None)

    @pytest.mark.parametrize("order", ["hold", "resume", "approve", "promote", "abort"])
    def test_that_is_over_is_refused_with_what_there_is(self, api: TestClient, order: str) -> None:
        asked = {"version": "1.1.0", "reason": "too late"}
        body = problem(api.post(f"/api/models/games/{order}", json=asked), 409)
        assert body["type"] == "urn:flyball:problem:deployment-error"
        assert "games/2 has all traffic" in body["detail"]

    @pytest.mark.parametrize(
        "body",
        [{}, {"version": "1.2.0"}, {"reason": "x"}, {"version": "1.2.0", "reason": " "}, []],
    )
    def test_needs_a_version_and_a_reason(
        self, api: TestClient, installed: Flyball, body: Any
    ) -> None:
        homes.roll(installed)
        assert problem(api.post("/api/models/games/abort", json=body), 422)["errors"]
        assert installed.platform.records.get(Deployment, "games/3").phase is Phase.ROLLING

    def test_of_a_version_that_there_is_not_is_404(self, api: TestClient) -> None:
        asked = {"version": "9.9.9", "reason": "what"}
        assert "9.9.9" in problem(api.post("/api/models/games/hold", json=asked), 404)["detail"]

    def test_decisions_are_audited(self, installed: Flyball) -> None:
        homes.roll(installed)
        notes = Notes()
        with TestClient(create_app(installed, notes), base_url=URL) as client:  # type: ignore[arg-type]
            for reason in ("once", "twice"):
                client.post("/api/models/games/hold", json={"version": "1.2.0", "reason": reason})
        path = "/api/models/games/hold"
        assert [(note.what, note.path, note.status) for note in notes.all] == [
            ("admin", path, 200),
            ("admin", path, 409),
        ]


class TestWhatIsNotThere:
    """Every error is a problem document that says what to do."""

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("/api/models/game", "games"),
            ("/api/models/game/versions", "games"),
            ("/api/traffic/xyz", "games, other"),
            ("/api/ledger?model=game", "games"),
            ("/api/models/games/versions/9.9.9-00000000-00000000", "flyball versions games"),
            ("/api/nothing", "/api/openapi.json"),
        ],
    )
    def test_is_said_with_what_there_is(self, api: TestClient, path: str, says: str) -> None:
        assert says in problem(api.get(path), 404)["detail"]

    def test_a_version_that_is_no_name_is_refused(self, api: TestClient) -> None:
        problem(api.get("/api/models/games/versions/newest"), 422)

    @pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=100000"])
    def test_wrong_limits_are_refused(self, api: TestClient, query: str) -> None:
        body = problem(api.get(f"/api/ledger?{query}"), 422)
        assert body["errors"][0]["location"] == "query.limit"

    def test_a_database_that_is_gone_is_not_ready(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        home.mkdir()
        (home / "flyball.sqlite").write_bytes(b"this is no database" * 100)
        with TestClient(create_app(homes.flyball(home)), base_url=URL) as client:
            problem(client.get("/health/ready"), 503)
            assert client.get("/health/live").status_code == 200


class TestAHostilePage:
    """The operator's browser shows other pages too; none of them can act here or read anything."""

    def test_may_not_send_json_from_its_own_origin(
        self, api: TestClient, installed: Flyball
    ) -> None:
        answer = api.post(
            "/api/models/games/rollback",
            json={"reason": "mischief"},
            headers={"origin": "https://evil.example"},
        )
        problem(answer, 403)
        assert installed.platform.records.get(Route, "games").champion == NEW.name

    @pytest.mark.parametrize("origin", ["http://127.0.0.1:9999", "http://localhost:8080", "null"])
    def test_nor_from_another_port_name_or_no_place(self, api: TestClient, origin: str) -> None:
        problem(api.get("/api/models", headers={"origin": origin}), 403)

    def test_may_not_point_its_own_name_at_this_machine(self, api: TestClient) -> None:
        answer = api.get("/api/models", headers={"host": "evil.example:8080"})
        assert "evil.example" in problem(answer, 421)["detail"]

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
    )
    def test_may_not_send_a_form(
        self, api: TestClient, installed: Flyball, content_type: str
    ) -> None:
        answer = api.post(
            "/api/models/games/rollback",
            content=b'{"reason": "mischief"}',
            headers={"content-type": content_type},
        )
        problem(answer, 415)
        assert installed.platform.records.get(Route, "games").champion == NEW.name

    def test_gets_no_permission_to_read(self, api: TestClient) -> None:
        answer = api.get("/api/models")
        assert "access-control-allow-origin" not in answer.headers
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]

    def test_the_consoles_own_page_may(self, api: TestClient) -> None:
        headers = {"origin": URL}
        answer = api.post("/api/models/games/rollback", json={"reason": "mine"}, headers=headers)
        assert answer.status_code == 200


class TestTheDocument:
    """OpenAPI 3.1, made from the code that answers."""

    def test_lists_every_endpoint_with_words(self, api: TestClient) -> None:
        document = api.get("/api/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        assert set(document["paths"]) == {
            "/api/lineage/{id}",
            "/api/models",
            "/api/models/{model}",
            "/api/models/{model}/versions",
            "/api/models/{model}/versions/{version}",
            "/api/models/{model}/versions/{version}/report",
            "/api/models/{model}/rollback",
            *(
                f"/api/models/{{model}}/{order}"
                for order in ("hold", "resume", "approve", "promote", "abort", "archive")
            ),
            "/api/deployments",
            "/api/ledger",
            "/api/ledger/verify",
            "/api/traffic/{model}",
            "/health/live",
            "/health/ready",
        }
        for operations in document["paths"].values():
            for operation in operations.values():
                assert operation["description"]
                assert "application/problem+json" in operation["responses"]["default"]["content"]
