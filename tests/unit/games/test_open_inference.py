"""The Open Inference Protocol v2, as its specification and its clients have it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi.testclient import TestClient

from flyball.domain.routing import Variant, bucket
from flyball.errors import NotFound
from flyball.games.application import GamesApplication
from flyball.ports import Choice
from flyball.serving.app import create_app
from flyball.serving.open_inference_docs import ASKED
from flyball.telemetry.metrics import Metrics
from flyball.testing.games import VERSION, OneVersionHost, a_purchase, is_a_problem

OTHER = "1.1.0-0123abcd-89ef4567"
INFER = "/v2/models/games/infer"

# Required members and their types, from the protocol's published description
# (kserve/open-inference-protocol, specification/protocol/open_inference_rest.yaml).
TENSOR = {"name": str, "shape": list, "datatype": str, "data": list}
SPEC = {"name": str, "datatype": str, "shape": list}


@dataclass
class Host(OneVersionHost):
    """A champion; where ``split`` is set, half of the players get a challenger."""

    split: bool = False
    seen: list[str] = field(default_factory=list)

    def _other(self) -> Choice:
        return Choice(servable=self.servable, version=OTHER, variant=Variant.CHALLENGER)

    def choose(self, user: str) -> Choice:
        choice = super().choose(user)
        return self._other() if self.split and bucket(user, "salt") >= 0.5 else choice

    def beside(self, choice: Choice) -> Choice | None:
        if not self.split:
            return None
        return self._other() if choice.version == VERSION else super().choose("")

    def served(self, choice: Choice, endpoint: str, seconds: float, status: int) -> None:
        self.counted.append((endpoint, status))
        self.seen.append(choice.version)

    def shown(self, *arguments: Any, **named: Any) -> None:
        pass


class Served:
    """A worker of two models, of which only one answers in tensors."""

    def __init__(self, host: Host, other: Host) -> None:
        self.metrics = Metrics()
        self.hosts = {"games": host, "mute": other}
        self.reasons: list[str] = []

    def unready(self) -> list[str]:
        return self.reasons

    def health(self) -> dict[str, Any]:
        return {"status": "ok"}


class Mute:
    """An application that does not answer in tensors."""

    name = "mute"

    def routes(self, host: Host) -> Any:
        from fastapi import APIRouter

        return APIRouter()


@pytest.fixture
def host(servable):
    return Host(servable)


@pytest.fixture
def served(host):
    return Served(host, Host(None))


@pytest.fixture
def app(served):
    return create_app(served, {"games": GamesApplication(), "mute": Mute()}, loopback=False)


@pytest.fixture
def client(app):
    with TestClient(app) as opened:
        yield opened


def users(*names: str) -> dict[str, Any]:
    return {"name": "user_id", "shape": [len(names)], "datatype": "BYTES", "data": list(names)}


def tensors(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {tensor["name"]: tensor for tensor in body["outputs"]}


def is_an_error(answer: Any, status: int) -> str:
    """A problem document that is the protocol's error object as well."""
    detail = is_a_problem(answer, status)
    assert answer.json()["error"] == detail
    return detail


class TestTheServer:
    def test_says_what_it_is(self, client):
        for path in ("/v2", "/v2/"):
            body = client.get(path).json()
            assert body["name"] == "flyball"
            assert isinstance(body["version"], str)
            assert body["extensions"] == []

    def test_is_live_and_ready(self, client, served):
        assert client.get("/v2/health/live").json() == {"live": True}
        assert client.get("/v2/health/ready").json() == {"live": True, "ready": True}
        served.reasons.append("games: its version is being loaded")
        is_a_problem(client.get("/v2/health/ready"), 503)
        assert client.get("/v2/health/live").status_code == 200


class TestAModel:
    def test_says_what_it_takes_and_gives(self, client, host):
        host.split = True
        body = client.get("/v2/models/games").json()
        assert (body["name"], body["platform"]) == ("games", "flyball_games")
        assert body["versions"] == sorted([VERSION, OTHER])
        for spec in (*body["inputs"], *body["outputs"]):
            assert all(isinstance(spec[name], type_) for name, type_ in SPEC.items())
        assert client.get(f"/v2/models/games/versions/{OTHER}").json() == body

    def test_is_ready_when_a_version_is(self, client, host):
        ready = {"name": "games", "ready": True}
        assert client.get("/v2/models/games/ready").json() == ready
        assert client.get(f"/v2/models/games/versions/{VERSION}/ready").json() == ready
        host.servable = None
        is_an_error(client.get("/v2/models/games/ready"), NotFound.status)

    def test_that_is_not_there_is_an_error(self, client):
        assert "there are games, mute" in is_an_error(client.get("/v2/models/chess"), 404)
        is_an_error(client.get("/v2/models/chess/ready"), 404)
        is_an_error(client.post("/v2/models/chess/infer", json={"inputs": []}), 404)

    def test_a_version_that_is_not_loaded_is_an_error(self, client):
        for path in ("", "/ready"):
            is_an_error(client.get(f"/v2/models/games/versions/{OTHER}{path}"), 404)
        asked = {"inputs": [users("p")]}
        answer = client.post(f"/v2/models/games/versions/{OTHER}/infer", json=asked)
        assert VERSION in is_an_error(answer, 404)

    def test_that_does_not_answer_in_tensors_is_an_error(self, client):
        is_an_error(client.get("/v2/models/mute"), 404)


class TestInference:
    def test_answers_the_documented_request_in_the_protocols_shape(self, client):
        body = client.post(INFER, json=ASKED).json()
        assert (body["model_name"], body["model_version"], body["id"]) == ("games", VERSION, "42")
        assert [tensor["name"] for tensor in body["outputs"]] == ["game_id", "score"]
        for tensor in body["outputs"]:
            assert all(isinstance(tensor[name], type_) for name, type_ in TENSOR.items())
            assert tensor["shape"] == [2, 3]
            assert len(tensor["data"]) == 6

    def test_gives_what_the_api_gives(self, client):
        body = tensors(client.post(INFER, json={"inputs": [users("player-3", "player-4")]}).json())
        for row, player in enumerate(("player-3", "player-4")):
            items = client.get(f"/v1/recommendations/{player}").json()["items"]
            games = body["game_id"]["data"][row * 10 : row * 10 + 10]
            assert games == [item["game_id"] for item in items]
            scores = body["score"]["data"][row * 10 : row * 10 + 10]
            assert scores == pytest.approx([item["score"] for item in items], abs=1e-6)
        assert body["count"] == {
            "name": "count",
            "shape": [2],
            "datatype": "INT64",
            "data": [10, 10],
        }
        assert len(set(body["recommendation_id"]["data"])) == 2

    def test_takes_histories_beside_or_instead_of_players(self, client):
        history = {
            "name": "history",
            "shape": [2],
            "datatype": "BYTES",
            "data": ['["metroid"]', ""],
        }
        for inputs in ([history], [users("", "player-3"), history]):
            asked = {"inputs": inputs, "parameters": {"k": 100}}
            found = tensors(client.post(INFER, json=asked).json())
            assert "metroid" not in found["game_id"]["data"][:100]
            assert found["count"]["data"][0] >= 30

    def test_fills_short_lists_up(self, client):
        asked = {"inputs": [users("player-3")], "parameters": {"k": 100, "min_score": 0.0}}
        found = tensors(client.post(INFER, json=asked).json())
        count = found["count"]["data"][0]
        assert 0 < count < 100
        assert found["game_id"]["shape"] == [1, 100]
        assert set(found["game_id"]["data"][count:]) == {""}
        assert set(found["score"]["data"][count:]) == {0.0}

    def test_takes_filters_as_a_parameter(self, client):
        parameters = {"k": 100, "filters": json.dumps({"exclude": ["metroid"]}), "diversity": 0.2}
        asked = {"inputs": [users("nobody")], "parameters": parameters}
        assert "metroid" not in tensors(client.post(INFER, json=asked).json())["game_id"]["data"]

    def test_takes_k_as_an_input_too(self, client):
        k = {"name": "k", "shape": [1], "datatype": "INT64", "data": [4]}
        found = tensors(client.post(INFER, json={"inputs": [users("a"), k]}).json())
        assert found["score"]["shape"] == [1, 4]

    def test_never_gives_a_game_that_was_bought(self, client):
        client.post("/v1/events", json=[a_purchase(game_id="metroid", user_id="buyer")])
        asked = {"inputs": [users("buyer")], "parameters": {"k": 100}}
        assert "metroid" not in tensors(client.post(INFER, json=asked).json())["game_id"]["data"]

    def test_each_player_gets_the_version_that_is_theirs_unless_one_is_named(self, client, host):
        host.split = True
        names = [f"player-{number}" for number in range(30)]
        body = client.post(INFER, json={"inputs": [users(*names)]}).json()
        expected = [VERSION if bucket(name, "salt") < 0.5 else OTHER for name in names]
        assert tensors(body)["model_version"]["data"] == expected
        assert "model_version" not in body
        assert host.seen == expected
        path = f"/v2/models/games/versions/{OTHER}/infer"
        body = client.post(path, json={"inputs": [users(*names)]}).json()
        assert body["model_version"] == OTHER
        assert set(tensors(body)["model_version"]["data"]) == {OTHER}

    @pytest.mark.parametrize(
        ("asked", "why"),
        [
            ({}, "inputs"),
            ({"inputs": []}, "send the input user_id"),
            ({"inputs": [{"name": "user_id"}]}, "shape"),
            ({"inputs": [{**users("a"), "datatype": "TEXT"}]}, "datatype"),
            ({"inputs": [{**users("a"), "datatype": "INT8", "data": [1]}]}, "send it as BYTES"),
            ({"inputs": [{**users("a"), "shape": [2]}]}, "holds 1 elements"),
            ({"inputs": [{**users("a"), "shape": [1, 1]}]}, "has the shape"),
            ({"inputs": [{**users("a"), "data": [7]}]}, "element 0 is no BYTES"),
            ({"inputs": [{**users("a"), "name": "player"}]}, "is unknown"),
            ({"inputs": [users("a"), users("b")]}, "sent twice"),
            ({"inputs": [users("a")], "outputs": [{"name": "x"}]}, "no output 'x'"),
            ({"inputs": [users("a")], "parameters": {"kk": 1}}, "there are k, filters"),
            ({"inputs": [users("a")], "parameters": {"k": 0}}, "k"),
            ({"inputs": [users("a")], "parameters": {"filters": "{"}}, "the parameter filters"),
            ({"inputs": [users("b", "a\nb")]}, "row 1: "),
            ({"inputs": [users(*["a"] * 1001)]}, "1 to 1000"),
            ({"inputs": [users("a")], "parameters": {"binary_data_output": True}}, "binary"),
            (
                {
                    "inputs": [users("a")],
                    "outputs": [{"name": "score", "parameters": {"binary_data": True}}],
                },
                "binary",
            ),
            (
                {"inputs": [{**users("a"), "data": [], "parameters": {"binary_data_size": 5}}]},
                "binary",
            ),
        ],
    )
    def test_refuses_what_it_cannot_read_and_says_why(self, client, asked, why):
        assert why in is_an_error(client.post(INFER, json=asked), 422)

    def test_refuses_binary_tensors_clearly(self, client):
        """As Triton's client sends them: JSON, then bytes; or declared in the JSON alone."""
        head = {**users("a"), "parameters": {"binary_data_size": 5}}
        head.pop("data")
        body = json.dumps({"inputs": [head]})
        headers = {"content-type": "application/json"}
        assert "binary" in is_an_error(client.post(INFER, content=body, headers=headers), 422)
        headers["inference-header-content-length"] = str(len(body))
        whole = body.encode() + b"\x01\x00\x00\x00a"
        assert "binary" in is_an_error(client.post(INFER, content=whole, headers=headers), 422)

    def test_survives_any_depth(self, client):
        deep = '{"inputs": [{"name": "user_id", "shape": [1], "datatype": "BYTES", "data": '
        deep += "[" * 100_000 + "]" * 100_000 + "}]}"
        answer = client.post(INFER, content=deep, headers={"content-type": "application/json"})
        is_an_error(answer, 422)


def test_every_endpoint_of_the_protocol_is_documented(app):
    paths = app.app.openapi()["paths"]
    at = "/v2/models/{model}/versions/{version}"
    wanted = {
        *("/v2", "/v2/health/live", "/v2/health/ready", at, f"{at}/ready", f"{at}/infer"),
        *("/v2/models/{model}", "/v2/models/{model}/ready", "/v2/models/{model}/infer"),
    }
    assert wanted <= set(paths)
    named = {each["name"] for each in paths[f"{at}/infer"]["post"]["parameters"]}
    assert named == {"model", "version"}
