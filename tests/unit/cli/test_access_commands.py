"""``flyball access`` on a home of its own: what each command does, shows, and refuses."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import sys
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from flyball import Flyball
from flyball.access import keys, passwords
from flyball.cli.app import app
from flyball.domain.access import ApiKey, Principal, Scope
from flyball.testing.access import PASSWORD

KEY = re.compile(r"fb_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


@dataclass
class Commands:
    """Runs ``flyball access ...`` on one home."""

    home: object

    def __call__(self, *arguments, stdin=None, code=0):
        env = {"FLYBALL_HOME": str(self.home), "NO_COLOR": "1"}
        ended = CliRunner().invoke(app, ["access", *arguments], input=stdin, env=env)
        assert ended.exit_code == code, ended.output
        return ended.stdout if code == 0 else ended.stderr

    def json(self, *arguments, **how):
        return json.loads(self(*arguments, "--json", **how))

    def record(self, kind, id):
        with Flyball(self.home) as flyball:
            return flyball.platform.records.get(kind, id)


@pytest.fixture
def access(tmp_path):
    return Commands(tmp_path / "home")


class TestAKey:
    def test_is_shown_once_and_is_the_one_that_was_recorded(self, access):
        shown = access("key", "create", "shop", "--scope", "read", "--scope", "events")
        [text] = KEY.findall(shown)
        id, secret = keys.parted(text)
        assert keys.matches(access.record(ApiKey, id), secret)
        assert "Shown this once" in shown
        for listed in (access("key", "list"), access("list"), str(access.json("list"))):
            assert id in listed
            assert secret not in listed

    def test_as_json_has_everything_that_was_asked_for(self, access):
        made = access.json(
            "key", "create", "nightly", "--scope", "read", "--expires", "90d", "--rate", "600"
        )
        assert KEY.fullmatch(made["text"])
        assert made["key"]["name"] == "nightly"
        assert made["key"]["scopes"] == ["read"]
        assert made["key"]["rate"] == 600
        assert made["key"]["created_at"] < made["key"]["expires_at"]
        assert access.json("key", "list") == [made["key"]]

    def test_without_a_scope_may_ask_and_nothing_else_and_says_so(self, access):
        shown = access("key", "create", "page")
        assert "It may ask for answers, health and metrics, nothing else" in shown
        assert "--scope read --scope events" in shown
        assert "X-API-Key" in shown
        [key] = access.json("key", "list")
        assert key["scopes"] == ["read"]
        assert access.json("key", "create", "page")["key"]["scopes"] == ["read"]

    @pytest.mark.parametrize(
        ("scopes", "said"),
        [
            (["read", "events"], "ask for answers, health and metrics and send what users did."),
            (["admin"], "It may do everything."),
        ],
    )
    def test_says_what_it_may_do(self, access, scopes, said):
        shown = access("key", "create", "shop", *(f"--scope={scope}" for scope in scopes))
        assert said in " ".join(shown.split())
        assert "nothing else" not in shown

    def test_is_rotated_and_revoked(self, access):
        old = access.json("key", "create", "shop", "--scope", "read")
        new = access.json("key", "rotate", old["key"]["id"], "--grace", "24h")
        assert new["replaces"]["id"] == old["key"]["id"]
        assert [key["state"] for key in access.json("key", "list")] == ["usable", "usable"]
        access("key", "rotate", new["key"]["id"], "--grace", "0", "--expires", "2d")
        access("key", "revoke", old["key"]["id"])
        states = [key["state"] for key in access.json("key", "list")]
        assert states == ["revoked", "expired", "usable"]

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["create", "Shop", "--scope", "read"], "lower-case"),
            (["create"], "NAME"),
            (["create", "shop", "--scope", "write"], "read"),
            (["create", "shop", "--scope", "read", "--expires", "soon"], "90d"),
            (["create", "shop", "--scope", "read", "--expires", "0s"], "until it expires"),
            (["create", "shop", "--scope", "read", "--rate", "0"], "--rate"),
            (["revoke", "0123456789ab"], "no api key"),
            (["rotate", "0123456789ab"], "no api key"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_that_cannot_be_is_a_wrong_call(self, access, arguments, said):
        error = access("key", *arguments, code=2)
        assert said in error
        assert "Traceback" not in error

    def test_may_be_asked_for_with_the_options_before_the_command(self, access, tmp_path):
        access("key", "create", "shop", "--scope", "read")
        home, other = str(access.home), str(tmp_path / "other")
        ended = CliRunner().invoke(
            app, ["access", "--home", home, "key", "--json", "list"], env={"FLYBALL_HOME": other}
        )
        assert [key["name"] for key in json.loads(ended.stdout)] == ["shop"]


class TestAnAccount:
    def test_is_made_with_the_first_line_of_standard_input(self, access):
        access("account", "create", "ada", "--scope", "admin", "--password-stdin",
               stdin=f"{PASSWORD}\r\nsomething else\n")  # fmt: skip
        stored = access.record(Principal, "account:ada")
        assert passwords.verified(stored.password, PASSWORD)
        assert stored.scopes == (Scope.ADMIN,)
        access("account", "password", "ada", "--password-stdin", stdin=f"{PASSWORD}!\n")
        stored = access.record(Principal, "account:ada")
        assert passwords.verified(stored.password, f"{PASSWORD}!")

    @pytest.mark.parametrize("stdin", ["", "\n", "\r\n"])
    def test_needs_a_password(self, access, stdin):
        error = access("account", "create", "ada", "--scope", "read", "--password-stdin",
                       stdin=stdin, code=2)  # fmt: skip
        assert "holds no password" in error

    def test_without_a_terminal_says_how_to_give_one(self, access):
        error = access("account", "create", "ada", "--scope", "read", stdin=PASSWORD, code=2)
        assert "--password-stdin" in error

    def test_with_a_weak_password_is_refused_and_it_is_not_repeated(self, access):
        error = access("account", "create", "ada", "--scope", "read", "--password-stdin",
                       stdin="password1234\n", code=2)  # fmt: skip
        assert "guess" in error
        assert "password1234" not in error

    def test_is_disabled_and_enabled(self, access):
        access("account", "create", "ada", "--scope", "read", "--password-stdin",
               stdin=f"{PASSWORD}\n")  # fmt: skip
        ended = access.json("account", "disable", "ada", "--reason", "left the team")
        assert ended["state"] == "disabled"
        assert access.json("account", "enable", "ada")["state"] == "active"
        assert "no account 'bo'" in access("account", "disable", "bo", code=2)


class TestAClient:
    def test_is_shown_its_secret_once(self, access):
        made = access.json("client", "create", "backend", "--scope", "read")
        again = access("client", "rotate", "backend")
        stored = access.record(Principal, "client:backend")
        assert not passwords.verified(stored.password, made["secret"])
        assert passwords.verified(stored.password, re.search(r"fc_[\w-]{43}", again)[0])
        assert "fc_" not in access("list")
        assert access.json("client", "disable", "backend")["state"] == "disabled"


def test_clients_and_accounts_without_a_scope_may_ask_and_nothing_else(access):
    shown = access("client", "create", "backend")
    shown += access("account", "create", "ada", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert shown.count("nothing else: no --scope was given") == 2
    for id in ("client:backend", "account:ada"):
        assert access.record(Principal, id).scopes == (Scope.READ,)


def test_an_empty_home_says_what_comes_first(access):
    assert "flyball access key create" in access("list")
    assert access.json("list") == {"keys": [], "principals": [], "signing_keys": []}


def test_signing_keys_are_rotated_and_told_without_their_private_part(access):
    first = access.json("rotate-signing-key")
    assert first["state"] == "current"
    assert "good until" in access("rotate-signing-key")
    assert "void" in access("rotate-signing-key", "--at-once")
    found = access.json("list")["signing_keys"]
    assert [key["state"] for key in found] == ["retired", "retired", "current"]
    assert "private" not in str(found)


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(access):
    """A real terminal, as a person has it."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["FLYBALL_HOME"] = str(access.home)
        asked = ["access", "account", "create", "ada", "--scope", "read"]
        os.execv(sys.executable, [sys.executable, "-m", "flyball.cli", *asked])
    try:
        seen = _until(terminal, b"Password: ")
        os.write(terminal, PASSWORD.encode() + b"\n")
        seen += _until(terminal, b"confirmation: ")
        os.write(terminal, PASSWORD.encode() + b"\n")
        seen += _until(terminal, None)
    finally:
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, seen
    assert PASSWORD.encode() not in seen
    assert passwords.verified(access.record(Principal, "account:ada").password, PASSWORD)


def _until(terminal: int, words: bytes | None) -> bytes:
    """What the terminal shows up to and with ``words``; None: to its end."""
    seen = b""
    while words is None or words not in seen:
        assert select.select([terminal], [], [], 30)[0], f"nothing more after {seen!r}"
        try:
            more = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            more = b""
        if not more:
            assert words is None, f"it ended after {seen!r}"
            break
        seen += more
    return seen
