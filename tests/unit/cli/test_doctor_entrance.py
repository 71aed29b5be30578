"""``flyball doctor`` on who is let in, and on events that wait."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_doctor import doctor, free_ports

from certificates import a_certificate
from flyball import Flyball
from flyball.access.tokens import new_signing_key
from flyball.doctor import Level, entrance, waiting
from flyball.domain.access import Scope, SigningKey
from flyball.ports import Change
from flyball.settings import Server
from flyball.storage.spool import Spool
from flyball.testing.access import a_principal, a_signing_key
from flyball.testing.events import numbered

PUBLIC = {"FLYBALL_SERVER__HOST": "0.0.0.0"}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def flyball(home: Path) -> Iterator[Flyball]:
    with Flyball(home) as flyball:
        yield flyball


class TestAccess:
    def test_is_well_where_only_this_machine_calls(self, home):
        _, found = doctor(home, **free_ports())
        assert found["access"]["level"] == "ok"
        assert "only this machine" in found["access"]["detail"]
        assert found["signing key"]["level"] == "ok"

    def test_that_nobody_has_fails_before_anything_was_made(self, home):
        code, found = doctor(home, **free_ports(), **PUBLIC)
        assert (code, found["access"]["level"]) == (1, "fail")
        assert "flyball access key create" in found["access"]["advice"]
        assert not home.exists()

    def test_counts_those_who_can_get_in(self, home, flyball):
        flyball.access.create_key("shop", [Scope.READ])
        code, found = doctor(home, **free_ports(), **PUBLIC)
        assert (code, found["access"]["level"]) == (0, "ok")
        assert "1 usable key, 0 clients and accounts" in found["access"]["detail"]

    def test_that_ended_is_none(self, home, flyball):
        """The server would start, and refuse everybody."""
        made = flyball.access.create_key("shop", [Scope.READ])
        flyball.access.revoke_key(made.key.id)
        flyball.access.create_client("backend", [Scope.READ])
        flyball.access.disable("client", "backend")
        code, found = doctor(home, **free_ports(), **PUBLIC)
        assert (code, found["access"]["level"]) == (1, "fail")
        assert "2 have ended or are disabled" in found["access"]["detail"]

    def test_that_is_switched_off_for_everybody_fails(self, home):
        asked = {**free_ports(), **PUBLIC, "FLYBALL_ACCESS__REQUIRED": "false"}
        code, found = doctor(home, **asked)
        assert (code, found["access"]["level"]) == (1, "fail")
        assert "access.required is false" in found["access"]["detail"]

    def test_is_not_known_while_the_database_is_damaged(self, home):
        home.mkdir()
        (home / "flyball.sqlite").write_bytes(b"not a database, but long enough to be read as one")
        _, found = doctor(home, **free_ports(), **PUBLIC)
        assert found["access"]["level"] == "warn"
        assert "signing key" not in found


class TestTheSigningKey:
    def test_is_named(self, home, flyball):
        flyball.access.create_client("backend", [Scope.READ])
        [key] = flyball.platform.records.find(SigningKey)
        _, found = doctor(home, **free_ports())
        assert found["signing key"]["level"] == "ok"
        assert key.id in found["signing key"]["detail"]

    def test_that_is_missing_fails(self, home, flyball):
        flyball.platform.records.commit([Change(value=a_principal())])
        code, found = doctor(home, **free_ports())
        assert (code, found["signing key"]["level"]) == (1, "fail")
        assert "rotate-signing-key" in found["signing key"]["advice"]

    @pytest.mark.parametrize("cut", [slice(-20), slice(1, None), slice(0)])
    def test_that_cannot_be_read_fails_and_is_not_shown(self, home, flyball, cut):
        private = new_signing_key(NOW).private[cut] or "{}"
        bad = a_signing_key(id="kid-9", private=private)
        flyball.platform.records.commit([Change(value=bad)])
        code, found = doctor(home, **free_ports())
        assert (code, found["signing key"]["level"]) == (1, "fail")
        assert "kid-9" in found["signing key"]["detail"]
        assert private == "{}" or private[:40] not in str(found)


class TestTheCertificate:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Server:
        chain, key = a_certificate(tmp_path)  # good for a day, from an hour ago
        return Server(tls_certificate=str(chain), tls_key=str(key))

    @pytest.mark.parametrize(
        ("at", "level", "said"),
        [
            (timedelta(0), Level.WARN, "expires on"),
            (timedelta(days=2), Level.FAIL, "expired on"),
            (-timedelta(days=1), Level.FAIL, "is good from"),
        ],
    )
    def test_is_told_when_it_ends(self, server, at, level, said):
        found = entrance.certificate(server, datetime.now(UTC) + at)
        assert (found.level, said in found.detail) == (level, True)
        assert found.advice

    def test_is_well_while_it_lasts_longer(self, tmp_path):
        chain, key = a_certificate(tmp_path, days=15)
        server = Server(tls_certificate=str(chain), tls_key=str(key))
        assert entrance.certificate(server, datetime.now(UTC)).level is Level.OK

    def test_ends_with_the_first_of_its_chain(self, tmp_path, server):
        chain, key = a_certificate(tmp_path, "other", days=300)
        with chain.open("ab") as file:
            file.write(Path(server.tls_certificate).read_bytes())
        mixed = Server(tls_certificate=str(chain), tls_key=str(key))
        assert entrance.certificate(mixed, datetime.now(UTC)).level is Level.WARN

    def test_with_another_key_fails(self, tmp_path, server):
        _, other = a_certificate(tmp_path, "other")
        found = entrance.certificate(
            Server(tls_certificate=server.tls_certificate, tls_key=str(other)), NOW
        )
        assert found.level is Level.FAIL
        assert "does not belong to" in found.detail

    def test_that_cannot_be_read_fails_the_command(self, home, tmp_path):
        asked = {
            "FLYBALL_SERVER__TLS_CERTIFICATE": str(tmp_path / "no.pem"),
            "FLYBALL_SERVER__TLS_KEY": str(tmp_path / "no.key"),
        }
        code, found = doctor(home, **free_ports(), **asked)
        assert (code, found["TLS certificate"]["level"]) == (1, "fail")
        assert "no.pem cannot be read" in found["TLS certificate"]["detail"]

    def test_that_there_is_none_of_is_told_with_who_can_listen(self):
        assert "this machine only" in entrance.certificate(Server(), NOW).detail
        assert "proxy" in entrance.certificate(Server(host="192.0.2.1"), NOW).detail


class TestSharedLimits:
    def test_that_are_away_are_a_warning_without_the_password(self, home):
        pytest.importorskip("redis", reason="the extra flyball[redis] is not installed")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            url = f"redis://:s3cret@127.0.0.1:{taken.getsockname()[1]}/0"
        code, found = doctor(home, **free_ports(), FLYBALL_ACCESS__LIMITS=url)
        assert (code, found["limits"]["level"]) == (0, "warn")
        assert "127.0.0.1" in found["limits"]["detail"]
        assert "s3cret" not in str(found)

    def test_that_accept_and_say_nothing_are_a_warning(self, home):
        pytest.importorskip("redis", reason="the extra flyball[redis] is not installed")
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
            _, found = doctor(home, **free_ports(), FLYBALL_ACCESS__LIMITS=url)
        assert found["limits"]["level"] == "warn"

    def test_that_answer_are_well(self, home, tmp_path_factory):
        pytest.importorskip("redis", reason="the extra flyball[redis] is not installed")
        server = shutil.which("redis-server")
        if server is None:
            pytest.skip("redis-server is not installed")
        path = tmp_path_factory.mktemp("r") / "redis.sock"
        argv = [server, "--port", "0", "--unixsocket", str(path), "--save", ""]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=path.parent) as process:
            assert process.stdout is not None
            assert any(b"ready to accept" in line.lower() for line in process.stdout)
            url = f"redis+unix://{path}"
            _, found = doctor(home, **free_ports(), FLYBALL_ACCESS__LIMITS=url)
            process.kill()
        assert (found["limits"]["level"], "answers" in found["limits"]["detail"]) == ("ok", True)


class TestTheSpool:
    @pytest.fixture
    def folder(self, home: Path) -> Path:
        spool = Spool(home / "spool")
        spool.append(numbered(100))
        spool.close()
        return home / "spool"

    def test_that_waits_for_a_server_is_a_warning(self, home, folder):
        before = {path: path.read_bytes() for path in folder.iterdir()}
        code, found = doctor(home, **free_ports())
        assert (code, found["spool"]["level"]) == (0, "warn")
        assert "100 events" in found["spool"]["detail"]
        assert "flyball up" in found["spool"]["advice"]
        assert {path: path.read_bytes() for path in folder.iterdir()} == before

    def test_that_somebody_moves_is_well(self, folder):
        found = waiting.spool(folder, 10**9, running=True)
        assert (found.level, "100 events" in found.detail) == (Level.OK, True)

    def test_with_a_damaged_line_fails_and_names_the_file(self, folder):
        [path] = folder.iterdir()
        data = bytearray(path.read_bytes())
        data[data.index(b"\n") + 30] ^= 1
        path.write_bytes(data)
        found = waiting.spool(folder, 10**9, running=True)
        assert found.level is Level.FAIL
        assert f"1 event damaged in {path.name}; 99 events" in found.detail

    def test_whose_last_line_was_torn_by_a_crash_has_lost_nothing(self, folder):
        """It was never acknowledged."""
        [path] = folder.iterdir()
        path.write_bytes(path.read_bytes()[:-1])
        found = waiting.spool(folder, 10**9, running=False)
        assert (found.level, "99 events" in found.detail) == (Level.WARN, True)

    def test_near_its_limit_is_a_warning_and_at_its_limit_fails(self, home):
        spool = Spool(home / "spool")
        spool.append(numbered(3_000))
        spool.close()
        found = {
            room: waiting.spool(spool.folder, spool.size() + room, running=True)
            for room in (10, waiting.ROOM, spool.size())
        }
        assert [one.level for one in found.values()] == [Level.FAIL, Level.WARN, Level.OK]
        assert "server.spool" in found[10].advice

    def test_that_cannot_be_read_fails(self, home):
        home.mkdir()
        (home / "spool").write_text("a file")
        _, found = doctor(home, **free_ports())
        assert found["spool"]["level"] == "fail"
