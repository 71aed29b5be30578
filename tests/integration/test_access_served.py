"""A running worker that asks for credentials: who gets in, for how long, and what is noted."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey
from toy import ToyHome, until

from flyball.access.directory import AUDIENCE, ISSUER
from flyball.access.tokens import Tokens
from flyball.access.verbs import Access
from flyball.domain.access import Scope, SigningKey
from warm_start import server

PASSWORD = "seven green otters sing"
EVENT = {"event_id": "e1", "type": "purchase", "user_id": "u", "item_id": "i1"}
ANSWER = "/v1/answer"


class Guarded:
    """A home whose worker asks for credentials, with a key and an account."""

    def __init__(self, home: ToyHome, **settings: object) -> None:
        self.home = home
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        with (home.home / "flyball.toml").open("a") as file:
            file.write("\n".join(["[access]", "required = true", *lines, ""]))
        self.access = Access(home.records, home.platform.clock, "operator:test")
        self.reader = self.access.create_key("reader", [Scope.READ]).text
        self.sender = self.access.create_key("sender", [Scope.EVENTS]).text
        self.access.create_account("ada", PASSWORD, [Scope.READ, Scope.EVENTS])
        self.client: httpx.Client

    @contextmanager
    def running(self) -> Iterator[Guarded]:
        self.home.serve(self.home.publish("first"))
        with (
            server("toy", "--home", self.home.home, "--port", "0") as (process, url),
            httpx.Client(base_url=url, timeout=20, trust_env=False) as self.client,
        ):
            until(lambda: self.client.get("/health/ready").status_code == 200)
            yield self
            process.terminate()
            process.wait()

    def asks(self, **headers: str) -> httpx.Response:
        return self.client.get(ANSWER, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def with_token(self, token: str) -> httpx.Response:
        return self.asks(authorization=f"Bearer {token}")

    def signs_in(self, **fields: str) -> httpx.Response:
        form = {"grant_type": "password", "username": "ada", "password": PASSWORD}
        return self.client.post("/auth/token", data=form | fields)

    def refreshes(self, token: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return self.client.post("/auth/refresh", data=form)

    def tokens(self) -> Tokens:
        return Tokens(self.home.records.find(SigningKey), issuer=ISSUER, audience=AUDIENCE)

    def audit(self) -> list[dict[str, Any]]:
        files = sorted((self.home.home / "audit").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One worker for the tests that leave it as it was."""
    home = ToyHome(tmp_path_factory.mktemp("guarded") / "home")
    made = Guarded(home, sign_in_rate=0, failure_rate=0)
    with made.running():
        yield made


def is_refused(answer: httpx.Response, status: int) -> Mapping[str, Any]:
    """That it is a problem document with this status; the document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: Mapping[str, Any] = answer.json()
    assert found["status"] == status
    return found


class TestAKey:
    def test_opens_what_its_scopes_say_and_nothing_else(self, guarded):
        assert guarded.asks(x_api_key=guarded.reader).status_code == 200
        assert guarded.asks(authorization=f"Bearer {guarded.reader}").status_code == 200
        refused = guarded.client.post(
            "/v1/events", json=[EVENT], headers={"x-api-key": guarded.reader}
        )
        assert "'events'" in is_refused(refused, 403)["detail"]
        assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
        is_refused(guarded.asks(x_api_key=guarded.sender), 403)

    def test_is_needed_for_everything_but_probes_documentation_and_sign_in(self, guarded):
        for path in (ANSWER, "/health", "/metrics", "/v1/users/u", "/no/such/path"):
            answer = guarded.client.get(path)
            is_refused(answer, 401)
            assert answer.headers["www-authenticate"] == 'Bearer realm="flyball"'
        for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
            assert guarded.client.get(path).status_code == 200, path

    def test_tells_a_guesser_nothing(self, guarded):
        made = guarded.access.create_key("gone", [Scope.READ])
        guarded.access.revoke_key(made.key.id)
        until(lambda: guarded.asks(x_api_key=made.text).status_code == 401)
        _, id, secret = guarded.reader.split("_", 2)
        wrong = [
            made.text,
            f"fb_{id}_{'A' * 43}",
            f"fb_{'0' * 12}_{secret}",
            f"fb_{id}",
            "fb_",
            guarded.reader[:-1],
            guarded.reader + "x",
            "Ünï",
        ]
        said = [
            guarded.client.get(ANSWER, headers={"x-api-key": key.encode("latin-1", "replace")})
            for key in wrong
        ]
        assert {answer.status_code for answer in said} == {401}
        assert len({answer.json()["detail"] for answer in said}) == 1

    def test_beside_another_credential_is_refused(self, guarded):
        twice = guarded.asks(x_api_key=guarded.reader, authorization=f"Bearer {guarded.sender}")
        assert "different credentials" in is_refused(twice, 401)["detail"]
        alike = guarded.asks(x_api_key=guarded.reader, authorization=f"bearer {guarded.reader}")
        assert alike.status_code == 200

    def test_made_while_the_server_runs_works_and_revoked_it_stops_within_a_second(self, guarded):
        made = guarded.access.create_key("new", [Scope.READ])
        until(lambda: guarded.asks(x_api_key=made.text).status_code == 200, seconds=5)
        guarded.access.revoke_key(made.key.id)
        until(lambda: guarded.asks(x_api_key=made.text).status_code == 401, seconds=5)

    def test_is_exchanged_for_another_without_a_refused_request(self, guarded):
        old = guarded.access.create_key("rotated", [Scope.READ])
        until(lambda: guarded.asks(x_api_key=old.text).status_code == 200, seconds=5)
        new = guarded.access.rotate_key(old.key.id, grace=timedelta(hours=1))
        statuses = set()

        def exchanged() -> bool:
            statuses.add(guarded.asks(x_api_key=old.text).status_code)
            return guarded.asks(x_api_key=new.text).status_code == 200

        until(exchanged, seconds=5)
        assert statuses == {200}


class TestAToken:
    def test_comes_from_a_password_and_opens_what_was_asked_for(self, guarded):
        answer = guarded.signs_in(scope="read")
        assert answer.headers["cache-control"] == "no-store"
        granted = answer.json()
        assert (granted["token_type"], granted["scope"]) == ("Bearer", "read")
        assert granted["expires_in"] == 600
        assert guarded.with_token(granted["access_token"]).status_code == 200
        refused = guarded.client.post(
            "/v1/events",
            json=[EVENT],
            headers={"authorization": f"Bearer {granted['access_token']}"},
        )
        is_refused(refused, 403)

    @pytest.mark.parametrize("basic", [True, False])
    def test_comes_from_a_clients_secret(self, guarded, basic):
        made = guarded.access.create_client(f"shop-{basic}".lower(), [Scope.READ])
        name, secret = made.client.name, made.secret
        form = {"grant_type": "client_credentials"}
        auth = (name, secret) if basic else None
        sent = form if basic else form | {"client_id": name, "client_secret": secret}
        until(
            lambda: guarded.client.post("/auth/token", data=sent, auth=auth).status_code == 200,
            seconds=5,
        )
        granted = guarded.client.post("/auth/token", data=sent, auth=auth).json()
        assert "refresh_token" not in granted
        assert guarded.with_token(granted["access_token"]).status_code == 200
        wrong = guarded.client.post("/auth/token", data=form, auth=(name, "fc_wrong"))
        assert is_refused(wrong, 401)["error"] == "invalid_client"
        assert wrong.headers["www-authenticate"].startswith("Basic ")

    def test_is_refused_when_made_up_changed_or_of_another_server(self, guarded):
        token = guarded.signs_in().json()["access_token"]
        key = guarded.home.records.find(SigningKey)[0]
        now, claims = guarded.home.platform.clock.now(), jwt_claims(token)
        tokens = guarded.tokens()
        own = {"epoch": 1, "now": now, "lifetime": timedelta(minutes=5)}
        other = Tokens([key], issuer=ISSUER, audience="somebody-else")
        foreign = Tokens([key], issuer="elsewhere", audience=AUDIENCE)
        head, body, signature = token.split(".")
        late = own | {"now": now - timedelta(hours=1)}
        early = own | {"now": now + timedelta(hours=1)}
        forged = {
            "alg none": f"{b64({'alg': 'none', 'typ': 'at+jwt', 'kid': key.id})}.{body}.",
            "the public key as a shared secret": hs256(key, claims),
            "more scopes": f"{head}.{b64(claims | {'scope': 'read admin'})}.{signature}",
            "another audience": other.issue("account:ada", [Scope.READ], **own),
            "another issuer": foreign.issue("account:ada", [Scope.READ], **own),
            "expired": tokens.issue("account:ada", [Scope.READ], **late),
            "not yet good": tokens.issue("account:ada", [Scope.READ], **early),
            "of nobody": tokens.issue("account:nobody", [Scope.READ], **own),
            "of an earlier password": tokens.issue(
                "account:ada", [Scope.READ], **own | {"epoch": 0}
            ),
            "without a signature": f"{head}.{body}.",
            "no token": "a.b.c",
        }
        assert guarded.with_token(token).status_code == 200
        for what, made in forged.items():
            assert guarded.with_token(made).status_code == 401, what

    def test_of_a_key_that_was_replaced_stays_good_and_new_ones_are_good_at_once(self, guarded):
        before = guarded.signs_in().json()["access_token"]
        guarded.access.rotate_signing_key()

        def both() -> bool:
            after = guarded.signs_in()
            assert guarded.with_token(before).status_code == 200
            assert guarded.with_token(after.json()["access_token"]).status_code == 200
            return kid(after.json()["access_token"]) != kid(before)

        until(both, seconds=20)

    def test_is_void_within_a_second_of_another_password_or_of_being_disabled(self, guarded):
        guarded.access.create_account("bob", PASSWORD, [Scope.READ])
        until(lambda: guarded.signs_in(username="bob").status_code == 200, seconds=5)
        token = guarded.signs_in(username="bob").json()["access_token"]
        assert guarded.with_token(token).status_code == 200
        guarded.access.set_password("bob", PASSWORD + " twice")
        until(lambda: guarded.with_token(token).status_code == 401, seconds=5)
        again = guarded.signs_in(username="bob", password=PASSWORD + " twice")
        granted = again.json()
        guarded.access.disable("account", "bob")
        until(lambda: guarded.with_token(granted["access_token"]).status_code == 401, seconds=5)
        assert is_refused(guarded.refreshes(granted["refresh_token"]), 400)


class TestARefreshToken:
    def test_gives_the_next_and_is_good_once(self, guarded):
        first = guarded.signs_in().json()
        second = guarded.refreshes(first["refresh_token"]).json()
        third = guarded.refreshes(second["refresh_token"]).json()
        assert guarded.with_token(third["access_token"]).status_code == 200
        stolen = is_refused(guarded.refreshes(first["refresh_token"]), 400)
        assert stolen["error"] == "invalid_grant"
        is_refused(guarded.refreshes(third["refresh_token"]), 400)  # the whole sign-in is over

    def test_ends_with_signing_out(self, guarded):
        token = guarded.signs_in().json()["refresh_token"]
        answer = guarded.client.post("/auth/revoke", data={"token": token})
        assert answer.status_code == 200
        is_refused(guarded.refreshes(token), 400)
        unknown = guarded.client.post("/auth/revoke", data={"token": "fr_nothing"})
        assert unknown.status_code == 200


class TestSigningIn:
    def test_says_the_same_of_unknown_accounts_and_wrong_passwords(self, guarded):
        wrong = is_refused(guarded.signs_in(password="wrong"), 400)
        unknown = is_refused(guarded.signs_in(username="nobody-here"), 400)
        assert wrong["error"] == unknown["error"] == "invalid_grant"
        assert wrong["detail"] == unknown["detail"]

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({}, "invalid_request"),
            ({"grant_type": "password"}, "invalid_request"),
            ({"grant_type": "implicit"}, "unsupported_grant_type"),
            ({"scope": "read admin"}, "invalid_scope"),
            ({"scope": "everything"}, "invalid_scope"),
        ],
    )
    def test_names_what_is_wrong_as_oauth2_does(self, guarded, form, error):
        good = {"grant_type": "password", "username": "ada", "password": PASSWORD}
        sent = form if "scope" not in form else good | form
        found = is_refused(guarded.client.post("/auth/token", data=sent), 400)
        assert found["error"] == error
        assert found["error_description"] == found["detail"]

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b'{"grant_type": "password"}', "application/json"),
            (b"grant_type=password&grant_type=password", "application/x-www-form-urlencoded"),
            (b"grant_type=%ff", "application/x-www-form-urlencoded"),
            (b"grant_type=\xff", "application/x-www-form-urlencoded"),
            (b"a=" + b"x" * 20_000, "application/x-www-form-urlencoded"),
            (b"&".join(b"f%d=1" % n for n in range(50)), "application/x-www-form-urlencoded"),
        ],
    )
    def test_refuses_what_is_no_good_form(self, guarded, body, kind):
        answer = guarded.client.post("/auth/token", content=body, headers={"content-type": kind})
        assert is_refused(answer, 400)["error"] == "invalid_request"


class TestTheAuditLog:
    def test_names_who_was_refused_and_who_signed_in_and_holds_no_secret(self, guarded):
        path = "/v1/users/%0d%0a%1b[31madmin%20did%20it"
        guarded.client.get(path, headers={"x-api-key": guarded.sender})
        guarded.signs_in(password="a wrong secret")
        guarded.signs_in(username="eve\r\nroot: signed in\x1b[0m")
        guarded.signs_in()

        def noted() -> bool:
            lines = guarded.audit()
            return (
                any(n["what"] == "refused" and "%0D%0A%1B" in n.get("path", "") for n in lines)
                and any(n["subject"] == "account:ada" and n["why"] == "" for n in lines)
                and any("eve\r\nroot" in n["subject"] for n in lines)
                and any(n["why"] == "invalid_grant" and n["status"] == 400 for n in lines)
            )

        until(noted, seconds=5)
        files = list((guarded.home.home / "audit").glob("*.jsonl"))
        raw = b"".join(file.read_bytes() for file in files)
        assert all(32 <= byte < 127 or byte == 10 for byte in raw)
        for secret in (PASSWORD, "a wrong secret", guarded.reader[20:], guarded.sender[20:]):
            assert secret.encode() not in raw
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert (guarded.home.home / "audit").stat().st_mode & 0o777 == 0o700


def test_the_document_says_what_each_operation_needs(guarded):
    document = guarded.client.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"apiKey", "bearer", "oauth2"}
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
    assert {flow["tokenUrl"] for flow in flows.values()} == {"/auth/token"}
    paths = document["paths"]
    assert {"apiKey": ["read"]} in paths[ANSWER]["get"]["security"]
    assert {"oauth2": ["events"]} in paths["/v1/events"]["post"]["security"]
    assert "security" not in paths["/health/live"]["get"]
    assert "security" not in paths["/auth/token"]["post"]
    form = paths["/auth/token"]["post"]["requestBody"]["content"]
    assert set(form) == {"application/x-www-form-urlencoded"}


def within_a_minute() -> None:
    """Limits are counted by the minute: go on when this one lasts long enough for a test."""
    until(lambda: time.time() % 60 < 45, seconds=20)


class TestLimits:
    def test_more_than_a_keys_rate_is_told_when_to_come_back(self, tmp_path):
        guarded = Guarded(ToyHome(tmp_path / "home"))
        slow = guarded.access.create_key("slow", [Scope.READ], rate=5).text
        with guarded.running():
            within_a_minute()
            statuses = [guarded.asks(x_api_key=slow).status_code for _ in range(8)]
            assert statuses == [200] * 5 + [429] * 3
            refused = guarded.asks(x_api_key=slow)
            assert 1 <= int(refused.headers["retry-after"]) <= 120
            is_refused(refused, 429)
            assert guarded.asks(x_api_key=guarded.reader).status_code == 200

    def test_guessing_from_one_address_is_slowed_and_good_keys_are_not(self, tmp_path):
        guarded = Guarded(ToyHome(tmp_path / "home"), failure_rate=3, sign_in_rate=2)
        with guarded.running():
            within_a_minute()
            wrong = f"fb_{'0' * 12}_{'A' * 43}"
            statuses = [guarded.asks(x_api_key=wrong).status_code for _ in range(5)]
            assert statuses == [401] * 3 + [429] * 2
            assert guarded.asks(x_api_key=guarded.reader).status_code == 200
            signed = [guarded.signs_in(password="wrong").status_code for _ in range(2)]
            assert signed == [400] * 2
            assert guarded.signs_in().status_code == 429  # even by the right password
            told = guarded.client.get("/metrics", headers={"x-api-key": guarded.reader}).text
            assert 'flyball_refused_total{reason="unknown_key"} 3.0' in told
            assert 'flyball_refused_total{reason="address_rate"} 2.0' in told
            assert 'flyball_refused_total{reason="sign_in_rate"} 1.0' in told


def test_nobody_is_lost_while_the_database_is_away(tmp_path):
    """Keys that were known go on working; signing in does too, without a token to refresh."""
    guarded = Guarded(ToyHome(tmp_path / "home"))
    with guarded.running():
        with guarded.home.platform.events._engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE flyball_ledger RENAME TO hidden_ledger")
            connection.exec_driver_sql("ALTER TABLE flyball_refresh_families RENAME TO hidden_f")
        until(lambda: _health(guarded)["status"] == "degraded")
        assert guarded.asks(x_api_key=guarded.reader).status_code == 200
        granted = guarded.signs_in().json()
        assert "refresh_token" not in granted
        assert guarded.with_token(granted["access_token"]).status_code == 200


def _health(guarded: Guarded) -> Mapping[str, Any]:
    found: Mapping[str, Any] = guarded.client.get(
        "/health", headers={"x-api-key": guarded.reader}
    ).json()
    return found


def b64(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def jwt_claims(token: str) -> dict[str, Any]:
    return part(token, 1)


def kid(token: str) -> str:
    return str(part(token, 0)["kid"])


def part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def hs256(key: SigningKey, claims: Mapping[str, Any]) -> str:
    """A token whose shared secret is what everybody may know."""
    public = OKPKey.import_key(json.loads(key.private)).as_dict(private=False)["x"]
    secret = OctKey.import_key(str(public))
    head = {"alg": "HS256", "typ": "at+jwt", "kid": key.id}
    return jwt.encode(head, dict(claims), secret, algorithms=["HS256"])
